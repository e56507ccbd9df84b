"""``astromorph odd`` finds the galaxies of an embedded table that look like few others."""
from astromorph.cli.output import add_output, check_output, say, write_output
from astromorph.cli.parsing import add_command

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph odd embedded.fits -n 3
astromorph odd embedded.fits -o ranked.fits
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "odd", run, "Rank galaxies by how little they look like others: "
                         "mergers, artifacts, rare kinds.", _EXAMPLES)
    parser.add_argument("table", metavar="TABLE", help="a table that 'astromorph embed' wrote")
    parser.add_argument("-n", "--number", type=int, metavar="N",
                        help="number of galaxies to write, the oddest first; default: all")
    add_output(parser, "table")


def run(args):
    """Return the exit status and the summary."""
    from astromorph import odd
    from astromorph.arguments import check_count
    from astromorph.tables import read_table

    if args.number is not None:
        check_count(args.number, "number")
    check_output(args)
    table = odd(read_table(args.table))
    write_output(args, table[:args.number])
    say(args, f"Ranked {len(table)} galaxies.")
    return 0, {"rows": len(table), "output": args.output}
