"""``astromorph demo`` classifies and draws the simulated galaxies of the package."""
from pathlib import Path

from astromorph.cli.galaxies import add_network, load_classifier
from astromorph.cli.output import count_outcomes, print_table
from astromorph.cli.parsing import add_command

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph demo
astromorph demo --network ds18 --output-dir demo
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "demo", run, "Classify the simulated galaxies that come with "
                         "astromorph; write demo.fits and demo.png.", _EXAMPLES)
    add_network(parser)
    parser.add_argument("--output-dir", type=Path, default=Path(), metavar="DIR",
                        help="folder of the two files, which are overwritten; default: the "
                             "current folder")
    parser.set_defaults(survey="sdss")


def run(args):
    """Return the exit status and the summary."""
    from astromorph.datasets import load_sample
    from astromorph.tables import write_table

    sample = load_sample()
    print(f"{len(sample)} SIMULATED galaxies, made for this demonstration, not real data.\n")
    classifier = load_classifier(args)
    table = classifier.classify(sample, images="file", r90="petroR90", progress=not args.quiet)
    table.remove_column("file")
    table.meta["SIMULATD"] = (True, "simulated galaxies, no real data")
    print_table(table)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    outputs = [args.output_dir / name for name in ("demo.fits", "demo.png")]
    write_table(table, outputs[0], overwrite=True)
    _draw_sample(sample["file"], table, classifier.questions, outputs[1])
    print(f"\nWrote {outputs[0]} and {outputs[1]}.")
    return 0, {**count_outcomes(table["morph_flag"]), "outputs": outputs}


def _draw_sample(paths, table, questions, destination):
    from matplotlib import use

    from astromorph.atomic import written_whole
    from astromorph.images import read_cutout
    from astromorph.plots import plot_mosaic
    from astromorph.running import probabilities

    use("Agg")
    axes = plot_mosaic([read_cutout(path, survey="sdss").pixels for path in paths],
                       probabilities(table, questions), titles=table["name"],
                       questions=questions)
    with written_whole(destination, overwrite=True) as part:
        axes[0, 0].figure.savefig(part, dpi=110)
