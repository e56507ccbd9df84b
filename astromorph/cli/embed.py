"""``astromorph embed`` describes the looks of galaxies by numbers."""
from pathlib import Path

from astromorph.cli.galaxies import add_galaxies, add_network, load_classifier, read_galaxies
from astromorph.cli.output import (add_output, check_input, check_output, count_outcomes, say,
                                   write_output)
from astromorph.cli.parsing import add_command, given, result_of

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph embed cutouts/*.jpg --cutout-r90 8.48 -o embedded.fits
astromorph embed galaxies.fits --images file --r90 measure --views 1 -o embedded.parquet
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "embed", run, "Describe the looks of galaxies by 16 numbers, "
                         "for 'astromorph similar' and 'astromorph odd'.", _EXAMPLES)
    add_network(parser)
    add_galaxies(parser)
    add = parser.add_argument_group("what to compute").add_argument
    add("--views", type=int, metavar="N", help="rotations and reflections to average over: 1, 2, 4 "
        "or 8; each takes a pass of the network (8)")
    add = add_output(parser, "table")
    add("--checkpoint", type=Path, metavar="DIR", help="keep finished rows in this folder, and "
        "continue from them")


def run(args):
    """Return the exit status and the summary."""
    output_format = check_output(args)
    if output_format == "csv":
        args.parser.error("--output: CSV has one value per cell and cannot hold the features; "
                          "choose another format, such as .fits")
    galaxies = read_galaxies(args)
    check_input(args, galaxies.data, output_format)
    table = result_of(args, load_classifier(args).embed, galaxies.data,
                      **given(args, "views", "checkpoint"), **galaxies.options)
    write_output(args, table)
    outcome = count_outcomes(table["morph_flag"])
    outcome["embedded"] = outcome.pop("classified")
    say(args, f"Embedded {outcome['embedded']} of {outcome['rows']} galaxies.")
    return int(outcome["embedded"] == 0), outcome | {"output": args.output}
