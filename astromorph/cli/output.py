"""Write results: to a table file, to a report, to the terminal."""
import os
import sys
import warnings
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from astromorph.cli.parsing import explain
from astromorph.printing import printable

__all__ = ["add_output", "check_apart", "check_file", "check_input", "check_output", "check_page",
           "count_outcomes", "may_replace", "print_table", "say", "write_output"]


def add_output(parser, what, *, default="print it"):
    """Add the options of an output table."""
    add = parser.add_argument_group("output").add_argument
    add("-o", "--output", type=Path, metavar="FILE",
        help=f"{what} to write; its name says the format: .fits, .vot, .ecsv, .parquet, .csv, or "
             f"a folder whose name ends in hats; default: {default}")
    add("--output-format", metavar="NAME", help="format of the output, if its name does not say it")
    add("--overwrite", action="store_true", help="replace an existing output")
    return add


def check_output(args):
    """Refuse an output that cannot be written, before the work begins."""
    from astromorph.tables import check_destination

    if args.output is None:
        return None
    if not args.overwrite and _holds_nothing(args.output, args.output_format):
        _give_up(args, args.output)
    with _refusing(args, "--output"):
        return check_destination(args.output, overwrite=may_replace(args, args.output),
                                 format=args.output_format)


def may_replace(args, path):
    """Whether an existing output may be replaced: if the user said so, or it holds no result."""
    return args.overwrite or path in args.empty


def _give_up(args, path):
    """Let the next run replace the output of a run that classified nothing."""
    say(args, f"{path} has no classified galaxy: it will be replaced.")
    args.empty += (path,)


def _holds_nothing(path, format):
    """Whether a file is a classified table in which no row could be classified."""
    from astromorph.flags import MorphFlag
    from astromorph.tables import read_table

    if not (path.is_file() or path.is_dir()):  # reading a device may never end
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flags = read_table(path, format=format)["morph_flag"]
        return len(flags) > 0 and bool(((flags & MorphFlag.UNCLASSIFIED.value) != 0).all())
    except Exception:  # a file that cannot be read is not a classified table
        return False


def check_input(args, data, format):
    """Refuse columns of a table of galaxies that the format of the output cannot hold."""
    from astropy.table import Table

    from astromorph.tables import check_columns

    if format == "hats" and isinstance(data, list):
        args.parser.error("--output: a HATS catalog needs positions, which images alone do not "
                          "have; choose another format")
    if format is not None and isinstance(data, Table):
        with _refusing(args, "--output"):
            check_columns(data, format)


def check_file(args, path, suffix):
    """Refuse an output file that cannot be written, or whose name has another ending."""
    from astromorph.arguments import check_suffix
    from astromorph.atomic import check_writable

    with _refusing(args, "--output"):
        check_suffix(path, suffix)
        check_writable(path, overwrite=args.overwrite)


def check_page(args, path):
    """Refuse a report that cannot be written."""
    from astromorph.report import check_report, reports_nothing

    if not args.overwrite and reports_nothing(path):
        _give_up(args, path)
    with _refusing(args, "--report"):
        check_report(path, overwrite=may_replace(args, path))


def check_apart(args, **paths):
    """Refuse paths that are the same, because one result would replace the other."""
    given = {name: os.path.realpath(path) for name, path in paths.items() if path is not None}
    for (name, path), (other, same) in combinations(given.items(), 2):
        if path == same:
            args.parser.error(f"--{name} and --{other} need different names, not both "
                              f"{paths[other]}")


@contextmanager
def _refusing(args, place):
    """Turn the error for a bad path into one for a wrong argument; ``place`` replaces the path."""
    from astromorph.errors import ArgumentError

    try:
        yield
    except ArgumentError as error:
        error.argument = {"path": place, "table": place, "format": "--output-format"}.get(
            error.argument, error.argument)
        args.parser.error(explain(args, error))
    except OSError as error:
        args.parser.error(str(error))


def write_output(args, table):
    """Write the output table, or print it."""
    from astromorph.tables import write_table

    if args.output is None:
        print_table(table)
    else:
        write_table(table, args.output, overwrite=may_replace(args, args.output),
                    format=args.output_format)


def print_table(table):
    """Print every row, probabilities with four digits."""
    from astropy.table import Column

    shown = table.copy(copy_data=False)  # the caller's table stays as it is
    for name in shown.colnames:
        column = shown[name]
        if isinstance(column, Column) and column.dtype.kind in "SUO" and column.ndim == 1:
            shown[name] = [printable(str(value)) for value in column]
    for column in shown.itercols():
        if column.info.name.startswith("P_"):
            column.info.format = ".4f"
    print(printable("\n".join(shown.pformat(max_lines=-1, max_width=-1))))


def count_outcomes(flags, counts=1):
    """Count galaxies: all, those with probabilities, and those with each bit of the flag (dict).

    Instead of one flag per galaxy, pass the different flags and the number of galaxies with each.
    """
    import numpy as np

    from astromorph.flags import MorphFlag

    flags, counts = np.broadcast_arrays(flags, counts)
    bits = {bit.name: int(counts[flags & bit.value != 0].sum()) for bit in MorphFlag}
    return {"rows": int(counts.sum()),
            "classified": int(counts[flags & MorphFlag.UNCLASSIFIED.value == 0].sum()),
            "flags": {name: count for name, count in bits.items() if count}}


def say(args, line):
    """Print a line for people, on stderr."""
    if not args.quiet:
        print(printable(line), file=sys.stderr)
