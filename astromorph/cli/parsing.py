"""What the parsers of all commands share: errors of one line, common options, types of values."""
import argparse
import re
from difflib import get_close_matches
from typing import NamedTuple

from astromorph.printing import printable

__all__ = ["ColumnWithUnit", "Parser", "add_command", "angle", "angle_or_column", "explain",
           "given", "number_or_word", "result_of", "survey_or_record"]

# An argument in advice for Python, such as offline=True: its name, and its value if there is one.
# Arguments of other functions do not count.
_ARGUMENT = re.compile(r"""(?<!\w\()\b([a-z]\w*)=("[^"\s]*"|'[^'\s]*'|[\w.+-]*\w)?""")
# Units as Python writes them, and as users type them.
_UNITS = ((re.compile(r"\b([\d.]+) \* u\.(\w+)"), r"\1\2"),
          (re.compile(r"table\['(.+?)'\]\.unit = '(\w+)'"), r"\1:\2"))


class Parser(argparse.ArgumentParser):
    """A parser that reports a wrong argument in one line, and takes no abbreviated options."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options, allow_abbrev=False)

    def parse_args(self, args=None, namespace=None):
        """Parse arguments; for an unknown option, name the nearest one of the command."""
        args, unknown = self.parse_known_args(args, namespace)
        if unknown:
            parser = getattr(args, "parser", self)
            near = get_close_matches(unknown[0].partition("=")[0], parser._option_string_actions, 1)
            parser.error(f"unrecognized arguments: {' '.join(unknown)}"
                         + "".join(f"; did you mean {option}?" for option in near))
        return args

    def option(self, name):
        """Return the option for an argument of Python, or its name if there is no such option."""
        action = self._by_name().get(name)
        return _long(action) if action else name

    def spell(self, text):
        """Write advice for Python as options: ``offline=True`` becomes --offline."""
        for python, typed in _UNITS:
            text = python.sub(typed, text)
        return _ARGUMENT.sub(self._spelled, text)

    def _by_name(self):
        return {action.dest: action for action in self._actions if action.option_strings}

    def _spelled(self, argument):
        name, value = argument[1], (argument[2] or "").strip("\"'")
        action = self._by_name().get(name)
        if action is None:
            return argument[0]
        option = _long(action)
        if value and action.nargs == 0:  # a switch
            return option if value == str(action.const) else f"no {option}"
        return f"{option} {value}".strip()

    def error(self, message):
        """Say in one line what is wrong, and exit with status 2."""
        line = printable(" ".join(message.split()))
        self.exit(2, f"{self.prog}: error: {line} (try '{self.prog} --help')\n")


def _long(action):
    return next(option for option in action.option_strings if option.startswith("--"))


class ColumnWithUnit(NamedTuple):
    """A column of a table, and its unit, which replaces the one in the table."""

    name: str
    unit: str


def add_command(commands, name, run, help_text, examples):
    """Add a command; ``run`` takes its arguments and returns exit status and summary (dict)."""
    parser = commands.add_parser(
        name, help=help_text, description=help_text,
        epilog="examples:\n" + "".join(f"  {line}\n" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=run, parser=parser, warning=None, empty=())
    says = parser.add_argument_group("messages")
    says.add_argument("-v", "--verbose", action="store_true", help="print more messages")
    says.add_argument("-q", "--quiet", action="store_true",
                      help="print only errors, and show no progress")
    says.add_argument("--json", action="store_true",
                      help="print a summary as one line of JSON on stdout, all else on stderr")
    return parser


def given(args, *names):
    """Return the options that were given, by name."""
    values = {name: getattr(args, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def result_of(args, function, *data, **options):
    """Return the result of a function; if a late warning is raised as an error, keep it for later.

    The warning waits in ``args.warning``. See `~astromorph.errors.keeps_result`.
    """
    from astromorph.errors import AstromorphWarning

    try:
        return function(*data, **options)
    except AstromorphWarning as warning:
        if warning.result is None:
            raise
        args.warning = warning
        return warning.result


def explain(args, error):
    """Return the text of an error, with options in place of arguments of Python."""
    from astromorph.errors import ArgumentError

    text = args.parser.spell(str(error)) or type(error).__name__
    if not isinstance(error, ArgumentError):
        return text
    names = map(args.parser.option, error.argument.split(", "))
    return ", ".join(names) + text.removeprefix(error.argument)


def number_or_word(text):
    """Return a number, or the text if it is not a number."""
    try:
        return float(text)
    except ValueError:
        return text


def survey_or_record(text):
    """Return the name of a survey as its record spells it, or the record in a TOML file."""
    from astromorph.surveys import Survey, get_survey

    if not text.lower().endswith(".toml"):
        try:
            return get_survey(text).name
        except ValueError as error:
            raise argparse.ArgumentTypeError(
                f"{error} The name of a file must end in .toml.") from None
    from astromorph.services import check_image_service

    try:
        survey = Survey.from_toml(text)
    except (ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(error) from None
    try:
        for service in survey.services:
            check_image_service(service, survey)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"in {text}: {error}") from None
    return survey


def angle(text):
    """Return an angle with its unit."""
    from astropy import units as u

    try:
        value = u.Quantity(text)
    except TypeError:
        value = None
    if value is None or not value.unit.is_equivalent(u.deg):
        raise argparse.ArgumentTypeError("expected an angle with its unit, such as 6arcsec. "
                                         f"Received {text!r}.")
    return value


def angle_or_column(text):
    """Return an angle with its unit, a column, or a column with its unit (NAME:UNIT)."""
    from astropy import units as u

    if number_or_word(text) != text or text[:1].isdigit():
        return angle(text)
    name, colon, unit = text.rpartition(":")
    if not colon:
        return text
    try:
        if u.Unit(unit).is_equivalent(u.deg):
            return ColumnWithUnit(name, unit)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError("expected COLUMN:UNIT with a unit of angle, such as "
                                     f"{name}:arcsec. Received {text!r}.")
