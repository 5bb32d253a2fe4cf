"""Running a recipe: absl flags, and errors of the user's making as one line and exit code 2."""

import sys

from absl import app, flags

from tfhrf.audio import AudioError
from tfhrf.corpora import CorpusError
from tfhrf.study import StudyError


def run(main):
    """Parses the flags and calls `main()`; the recipe's last line."""
    app.run(lambda arguments: _guarded(main, arguments[1:]), flags_parser=_parse)


def _parse(arguments):
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        return _fail(error)


def _guarded(main, positional):
    if positional:
        _fail(f"Unexpected argument: {positional[0]}")
    try:
        main()
    except (AudioError, CorpusError, StudyError) as error:
        _fail(error)


def _fail(error):
    print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)
