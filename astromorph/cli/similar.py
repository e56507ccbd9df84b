"""``astromorph similar`` finds the galaxies of an embedded table that look most like one."""
from astromorph.cli.output import add_output, check_output, say, write_output
from astromorph.cli.parsing import add_command

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph similar embedded.fits --like 0
astromorph similar embedded.fits --like 0 -n 100 -o near.fits
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "similar", run, "Find the galaxies of a table that look most "
                         "like one of them.", _EXAMPLES)
    parser.add_argument("table", metavar="TABLE", help="a table that 'astromorph embed' wrote")
    parser.add_argument("--like", type=int, required=True, metavar="ROW",
                        help="row of the galaxy, counted from 0")
    parser.add_argument("-n", "--number", dest="n", type=int, default=10, metavar="N",
                        help="number of galaxies to find (10)")
    add_output(parser, "table")


def run(args):
    """Return the exit status and the summary."""
    from astromorph import similar
    from astromorph.tables import read_table

    check_output(args)
    table = read_table(args.table)
    found = similar(table, args.like, args.n)
    write_output(args, found)
    say(args, f"Found {len(found)} of {len(table)} galaxies.")
    return 0, {"rows": len(table), "found": len(found), "output": args.output}
