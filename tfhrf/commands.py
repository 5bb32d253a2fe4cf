"""Running a recipe: absl flags, and errors of the user's making as one line and exit code 2."""

import sys

from absl import app, flags

from tfhrf.audio import AudioError
from tfhrf.corpora import CorpusError
from tfhrf.report import ReportError
from tfhrf.study import StudyError


def run(main, positional=False):
    """Parses the flags and calls `main()`, or `main(arguments)` if positional arguments are its
    own; the recipe's last line.
    """
    app.run(lambda arguments: _guarded(main, arguments[1:], positional), flags_parser=_parse)


def _parse(arguments):
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        return _fail(error)


def _guarded(main, arguments, positional):
    if arguments and not positional:
        _fail(f"Unexpected argument: {arguments[0]}")
    try:
        main(arguments) if positional else main()
    except (AudioError, CorpusError, ReportError, StudyError) as error:
        _fail(error)


def _fail(error):
    print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)
