"""``astromorph suggest`` takes galaxies and writes those to label."""
from astromorph.cli.galaxies import add_galaxies, add_network, load_classifier, read_galaxies
from astromorph.cli.output import add_output, check_input, check_output, say, write_output
from astromorph.cli.parsing import add_command, given, result_of

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph suggest cat.fits --survey des -n 300 -o to_label.csv
astromorph suggest cutouts/ --r90 measure -n 100
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "suggest", run, "Suggest the galaxies whose labels would teach "
                                                   "a classifier most.", _EXAMPLES)
    add_network(parser)
    add_galaxies(parser)
    add = parser.add_argument_group("how many").add_argument
    add("-n", "--number", type=int, default=300, metavar="N",
        help="number of galaxies to suggest (300)")
    add("--seed", type=int, metavar="N", help="seed; the same seed suggests the same galaxies (0)")
    add_output(parser, "table")


def run(args):
    """Return the exit status and the summary."""
    output_format = check_output(args)
    galaxies = read_galaxies(args)
    check_input(args, galaxies.data, output_format)
    table = result_of(args, load_classifier(args).suggest, galaxies.data, args.number,
                      **given(args, "seed"), **galaxies.options)
    if len(table):
        write_output(args, table)
    say(args, f"Suggested {len(table)} of {len(galaxies.data)} galaxies.")
    return int(len(table) == 0), {"rows": len(galaxies.data), "suggested": len(table),
                                  "output": args.output}
