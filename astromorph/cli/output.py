"""Where results go: a table file, a report, the terminal."""
import sys
from contextlib import contextmanager
from pathlib import Path

__all__ = ["add_output", "check_file", "check_output", "check_page", "count_outcomes",
           "print_table", "say", "write_output"]


def add_output(parser, what, *, default="print it"):
    """Add the options of an output table."""
    add = parser.add_argument_group("output").add_argument
    add("-o", "--output", type=Path, metavar="FILE",
        help=f"{what} to write, in the format that its name says: .fits, .vot, .ecsv, .parquet, "
             f".csv, or a folder whose name ends in hats; default: {default}")
    add("--output-format", metavar="NAME", help="format of the output, if its name does not tell")
    add("--overwrite", action="store_true", help="replace an existing output")
    return add


def check_output(args):
    """Refuse an output that could not be written, before the work rather than after it."""
    from astromorph.tables import check_destination

    if args.output is None:
        return None
    with _refusing(args, "--output"):
        return check_destination(args.output, overwrite=args.overwrite, format=args.output_format)


def check_file(args, path):
    """The same of a file that is no table."""
    from astromorph.atomic import check_writable

    with _refusing(args, "--output"):
        check_writable(path, overwrite=args.overwrite)


def check_page(args, path):
    """The same of a report."""
    from astromorph.report import check_report

    with _refusing(args, "--report"):
        check_report(path, overwrite=args.overwrite)


@contextmanager
def _refusing(args, place):
    """Make what cannot be written to a wrong argument; ``place`` stands for the path."""
    from astromorph.atomic import REPLACE_HINT
    from astromorph.errors import ArgumentError

    try:
        yield
    except ArgumentError as error:
        argument = {"path": place, "format": "--output-format"}.get(error.argument, error.argument)
        hint = "Pass --overwrite to replace it." if error.hint == REPLACE_HINT else error.hint
        args.parser.error(str(ArgumentError(argument, error.expected, error.received, hint)))
    except OSError as error:
        args.parser.error(str(error))


def write_output(args, table):
    """Write the output table, or print it."""
    from astromorph.tables import write_table

    if args.output is None:
        print_table(table)
    else:
        write_table(table, args.output, overwrite=args.overwrite, format=args.output_format)


def print_table(table):
    """Print every row, probabilities with three digits."""
    shown = table.copy(copy_data=False)  # the format is for the eye only
    for column in shown.itercols():
        if column.info.name.startswith("P_"):
            column.info.format = ".3f"
    print("\n".join(shown.pformat(max_lines=-1, max_width=-1)))


def count_outcomes(flags, counts=1):
    """How many galaxies there are, have probabilities, and have each bit of the flag (dict).

    Flags may be given once each, with the numbers of galaxies that have them.
    """
    import numpy as np

    from astromorph.flags import MorphFlag

    flags, counts = np.broadcast_arrays(flags, counts)
    bits = {bit.name: int(counts[flags & bit.value != 0].sum()) for bit in MorphFlag}
    return {"rows": int(counts.sum()),
            "classified": int(counts[flags & MorphFlag.UNCLASSIFIED.value == 0].sum()),
            "flags": {name: count for name, count in bits.items() if count}}


def say(args, line):
    """A line for people, on stderr."""
    if not args.quiet:
        print(line, file=sys.stderr)
