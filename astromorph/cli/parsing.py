"""What the parsers of all commands share: one-line errors, common options, kinds of values."""
import argparse
from typing import NamedTuple

__all__ = ["ColumnWithUnit", "Parser", "add_command", "angle", "angle_or_column", "explain",
           "given", "number_or_word", "printable", "survey_or_record"]


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, without the usage above it."""

    def error(self, message):
        """Say what is wrong in one line, and exit with 2."""
        line = printable(" ".join(message.split()))
        self.exit(2, f"{self.prog}: error: {line} (try '{self.prog} --help')\n")


class ColumnWithUnit(NamedTuple):
    """A column of a table, and the unit that it has, whatever the table says."""

    name: str
    unit: str


def add_command(commands, name, run, help_text, examples):
    """Add a command; ``run`` takes its arguments and gives an exit status and a summary (dict)."""
    parser = commands.add_parser(
        name, help=help_text, description=help_text,
        epilog="examples:\n" + "".join(f"  {line}\n" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=run, parser=parser)
    says = parser.add_argument_group("what it says")
    says.add_argument("-v", "--verbose", action="store_true", help="say more")
    says.add_argument("-q", "--quiet", action="store_true",
                      help="say errors only, and show no progress")
    says.add_argument("--json", action="store_true",
                      help="print a summary as one line of JSON on stdout, all else on stderr")
    return parser


def given(args, *names):
    """The options that were given, by name."""
    values = {name: getattr(args, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def explain(args, error):
    """What an error says, with the option in place of the argument that it is about."""
    from astromorph.errors import ArgumentError

    if not isinstance(error, ArgumentError):
        return str(error) or type(error).__name__
    names = [f"--{name.replace('_', '-')}" if name in vars(args) else name
             for name in error.argument.split(", ")]
    return str(ArgumentError(", ".join(names), error.expected, error.received, error.hint))


def printable(text):
    r"""Text without the characters that a terminal would obey, or could not encode.

    Parameters
    ----------
    text : str
        Of names, of services, of anybody.

    Returns
    -------
    str
        They stand there as escapes, ``\x1b``.
    """
    return "".join(one if one.isprintable() or one in "\n\t\xa0" else
                   one.encode("unicode_escape").decode() for one in text)


def number_or_word(text):
    """Give a number, or the text where it is none."""
    try:
        return float(text)
    except ValueError:
        return text


def survey_or_record(text):
    """Give the name of a survey as its record has it, or the record of a TOML file."""
    from astromorph.surveys import Survey, get_survey

    if not text.lower().endswith(".toml"):
        try:
            return get_survey(text).name
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{error} A file's name ends in .toml.") from None
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
    """An angle with its unit."""
    from astropy import units as u

    try:
        value = u.Quantity(text)
    except TypeError:
        value = None
    if value is None or not value.unit.is_equivalent(u.deg):
        raise argparse.ArgumentTypeError(f"expected an angle with its unit, as 6arcsec, not {text}")
    return value


def angle_or_column(text):
    """An angle with its unit, a column, or a column and its unit as NAME:UNIT."""
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
    raise argparse.ArgumentTypeError(f"expected COLUMN:UNIT with a unit of angle, as "
                                     f"{name}:arcsec, not {text}")
