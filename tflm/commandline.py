"""Running the scripts here: what ends one is one line, and an exit code that is not 0."""

import argparse
import shlex
import sys


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        _fail(message)


def parser_of(about):
    """A parser of arguments whose --help begins with the script's docstring."""
    return _Parser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def run(main):
    """Calls `main()`; the script's last line.

    Its OSError, RuntimeError and ValueError are of the user's making, or of tools'.
    """
    try:
        main()
    except KeyboardInterrupt:
        _fail("Stopped", 130)
    except OSError as error:
        # A full disk has no name of a file.
        received = error.filename or shlex.join(sys.argv)
        _fail(f"{error.strerror or error}. Received: {received}")
    except (RuntimeError, ValueError) as error:
        _fail(str(error).removeprefix("Error: "))


def _fail(message, code=2):
    print(f"Error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
