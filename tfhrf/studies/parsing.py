"""The flags of a recipe as absl parses them: --help, and what is wrong with them in one line."""

import shlex
import sys

from absl import flags


class FlagError(ValueError):
    """Flags are not what they should be; the message is one line."""


def parse(arguments, about):
    """Parses the flags, or prints what --help says and ends this process.

    Args:
        arguments: list of texts, a name first.
        about: what --help says before it lists the flags; the recipe's docstring if None.

    Returns:
        The arguments that are no flags, the name first.

    Raises:
        FlagError: a flag is unknown, missing, or not what it should be.
    """
    if {"-h", "-help", "--h", "--help"} & set(arguments[1:]):
        print(_help(about))
        sys.exit(0)
    try:
        left = flags.FLAGS(arguments)
    except (flags.Error, ValueError) as error:
        raise FlagError(_told(error, arguments)) from None
    for name in flags.FLAGS:
        # Such as a variable of the shell that is not set.
        if flags.FLAGS[name].present and flags.FLAGS[name].value in ("", []):
            raise FlagError(f"A value is needed. Received: --{name}=")
    return left


def _told(error, arguments):
    """What absl says, with what was received at the end."""
    message = str(error)
    if isinstance(error, flags.UnrecognizedFlagError):
        like = message.partition(". Did you mean: ")[2].removesuffix(" ?")
        like = f"; like it are {like}" if like else ""
        return f"There is no such flag{like}. Received: {error.flagvalue}"
    if message.startswith("flag --"):
        name, _, rest = message.removeprefix("flag --").partition("=")
        return _wrong(flags.FLAGS[name], rest, error.__context__)
    return f"{message}. Received: {shlex.join(arguments[1:])}"


def _wrong(flag, rest, cause):
    """A value that its parser raised `cause` for, or that a validator refuses if that is None."""
    if cause is not None:
        given = rest.removesuffix(f": {cause}")
        # Python's words for what is no number repeat it, and not what is needed.
        needed = flag.parser.syntactic_help
        reason = f"value should be {needed}" if needed else cause.args[0]
    elif flag.value is None:
        return f"A flag is needed. Received: no --{flag.name}"
    else:
        given = flag.serialize().partition("=")[2]
        reason = rest.removeprefix(f"{flag.value}: ").partition("\n")[0]
    return f"{reason[:1].upper()}{reason[1:]}. Received: --{flag.name}={given}"


def _help(about):
    """What the recipe says of itself, and every flag of its own."""
    about = about or sys.modules["__main__"].__doc__ or ""
    own = flags.FLAGS.flags_by_module_dict()
    modules = [name for name in own if name == sys.argv[0] or name.startswith("tfhrf.")]
    texts = [flags.FLAGS.module_help(name).split(":\n", 1)[1] for name in modules]
    return "\n".join([about.strip(), "\nFlags:", *texts])
