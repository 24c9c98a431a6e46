"""What every program shares: its own flags, one sentence and exit code 2 for bad input, the run's configuration from
recipe and flags."""

import sys

from absl import flags

from trainers.errors import BadInput


def execute(define, main, argv=None, prepare=None):
    """Parses `argv` and runs `main(options)`; returns the exit code.

    Args:
        define: function (flag_values) that defines the program's flags; a program's flags are its own, so that two can
            be imported.
        main: function (flag_values) -> exit code or None.
        argv: the command line, the program's name first; `sys.argv` if None.
        prepare: function (flag_values) that defines further flags from those parsed so far.
    """
    options, own = flags.FlagValues(), sys.argv
    argv = sys.argv = list(own if argv is None else argv)  # config_flags reads the overrides from sys.argv
    flags.DEFINE_boolean("help", False, "Print the flags and exit.", short_name="h", flag_values=options)
    define(options)
    try:
        options(argv, known_only=True)
        if options.help:
            print(f"{sys.modules[main.__module__].__doc__}\n\nflags:\n{options.get_help()}")
            return 0
        if prepare:
            prepare(options)
        for unexpected in options(argv)[1:]:
            raise BadInput(f"unexpected argument {unexpected!r}: every option is a flag, as in --workdir=DIR.")
        return main(options) or 0
    except (BadInput, flags.Error) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    finally:
        sys.argv = own


def positive(options, name):
    """Reads the flag's value. Raises BadInput unless it is a number above 0."""
    value = options[name].value
    if value is None or value <= 0:
        raise BadInput(f"--{name} must be more than 0, found {value}.")
    return value


def not_negative(options, *names):
    """Raises BadInput for a negative one of the named flags."""
    for name in names:
        if options[name].value < 0:
            raise BadInput(f"--{name} must be 0 or more, found {options[name].value}.")
