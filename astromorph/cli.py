"""The command line: ``astromorph demo``, ``astromorph classify`` and ``astromorph cache``.

Heavy imports stay inside the functions, so that ``--help`` and a mistyped argument answer at once.
"""
import argparse
import sys
from pathlib import Path

from astromorph import __version__

__all__ = ["main"]

_CLASSIFY_EXAMPLE = """\
examples:
  astromorph classify cutouts/*.jpg --cutout-r90 8.48 -o morphology.fits
  astromorph classify galaxies.fits --images file --cutout-r90 measure -o morphology.fits
  astromorph classify galaxies.fits --positions --survey legacy -o morphology.fits
"""

_CACHE_EXAMPLE = """\
examples:
  astromorph cache info
  astromorph cache clear --older-than 90
"""


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, without the usage above it."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (try '{self.prog} --help')\n")


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 if nothing could be done; a wrong argument exits with 2.
    """
    args = _parser().parse_args(arguments)
    try:
        return args.run(args)
    except (OSError, ValueError) as error:
        print(f"{args.parser.prog}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1


def _parser():
    parser = _Parser(prog="astromorph", description="Galaxy morphology for survey catalogs.")
    parser.add_argument("--version", action="version", version=f"astromorph {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_demo(commands)
    _add_classify(commands)
    _add_cache(commands)
    return parser


def _add_command(commands, run, help_text, **kwargs):
    parser = commands.add_parser(run.__name__.lstrip("_"), help=help_text, description=help_text,
                                 formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)
    parser.set_defaults(run=run, parser=parser)
    return parser


def _add_network(parser):
    parser.add_argument("--network", metavar="NAME",
                        help="pinwheel, the default, tuningfork, or ds18, the published network")


def _add_demo(commands):
    parser = _add_command(commands, _demo, "Classify the embedded sample of simulated galaxies; "
                                           "writes demo.fits and demo.png.")
    _add_network(parser)
    parser.add_argument("--output-dir", type=Path, default=Path(), metavar="DIR",
                        help="folder of the two files, which are overwritten; default: this one")


def _add_classify(commands):
    parser = _add_command(commands, _classify, "Classify galaxy cutouts, or galaxies by position.",
                          epilog=_CLASSIFY_EXAMPLE)
    _add_network(parser)
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE",
        help="cutouts (JPEG, PNG, FITS); with --images or --positions, one table")
    add("--images", metavar="COLUMN", help="column of the table that holds the cutouts' file names")
    add("--positions", action="store_true",
        help="get the images of the table's positions from the survey's image services")
    add("--cutout-r90", type=_number_or_word, metavar="X",
        help="width of the cutouts in R90 of their galaxy: a number, 'measure', or a column; "
             "default: as the network expects")
    add("--r90", metavar="COLUMN", help="column of the table that holds R90; default for "
        "--positions: the one with a usual name, such as petroR90_r")
    add("--survey", type=_survey_name, metavar="NAME",
        help="survey of the images, whose weights are taken: sdss (default), des or legacy; the "
             "colors of FITS images are by default told from their bands")
    add("--offline", action="store_true",
        help="with --positions, use only images that the cache holds")
    add("-o", "--output", type=Path, metavar="FILE",
        help="table to write, in the format that its name says; default: print it")
    add("--overwrite", action="store_true", help="replace an existing output")


def _add_cache(commands):
    parser = _add_command(commands, _cache, "Show or clear the cache of images.",
                          epilog=_CACHE_EXAMPLE)
    add = parser.add_argument
    add("action", choices=["info", "clear"], help="what it holds, or remove images")
    add("--folder", type=Path, metavar="DIR", help="folder of the cache; default: the usual one")
    add("--survey", type=_survey_name, metavar="NAME", help="clear images of this survey only")
    add("--older-than", type=float, metavar="DAYS", help="clear images older than this only")


def _number_or_word(text):
    try:
        return float(text)
    except ValueError:
        return text


def _survey_name(text):
    from astromorph.surveys import get_survey

    try:
        return get_survey(text).name
    except ValueError as error:
        raise argparse.ArgumentTypeError(error) from None


def _demo(args):
    sample = _read_sample()
    print(f"{len(sample)} SIMULATED galaxies, made for this demonstration: no real data.\n")
    table = _load_classifier(args).classify(sample, images="file", r90="petroR90",
                                            progress=True)
    table.remove_column("file")
    table.meta["SIMULATD"] = (True, "simulated galaxies, no real data")
    _print_table(table)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    outputs = [args.output_dir / name for name in ("demo.fits", "demo.png")]
    _write_table(table, outputs[0])
    _draw_sample(sample["file"], table, outputs[1])
    print(f"\nWrote {outputs[0]} and {outputs[1]}.")
    return 0


def _read_sample():
    """Table of the embedded galaxies: name, size and file."""
    from importlib.resources import files

    from astropy import units as u
    from astropy.io import fits
    from astropy.table import Table

    paths = sorted(map(str, files("astromorph").joinpath("sample").glob("*.fits")))
    headers = [fits.getheader(path) for path in paths]
    return Table({"name": [header["OBJECT"] for header in headers],
                  "petroR90": [header["PETROR90"] for header in headers] * u.arcsec,
                  "file": paths})


def _draw_sample(paths, table, destination):
    from matplotlib import use

    from astromorph.images import read_cutout
    from astromorph.plots import plot_mosaic

    use("Agg")
    axes = plot_mosaic([read_cutout(path, survey="sdss").pixels for path in paths],
                       _probabilities(table), titles=table["name"])
    axes[0, 0].figure.savefig(destination, dpi=110)


def _probabilities(table):
    import numpy as np

    from astromorph.questions import QUESTIONS

    return np.ma.stack([table[question.column] for question in QUESTIONS], axis=1)


def _classify(args):
    from astromorph.flags import MorphFlag

    is_table = args.positions or args.images
    if args.images and args.positions:
        args.parser.error("--images and --positions exclude each other")
    if is_table and len(args.files) > 1:
        args.parser.error("--images and --positions take one table, "
                          f"not {len(args.files)} files")
    if args.offline and not args.positions:
        args.parser.error("--offline goes with --positions")
    if args.output:
        _check_output(args)
    data = args.files
    if is_table:
        from astropy.table import Table

        data = Table.read(args.files[0])
    fetch = {"offline": True} if args.offline else {}
    table = _load_classifier(args).classify(data, images=args.images, cutout_r90=args.cutout_r90,
                                            r90=args.r90, survey=args.survey, **fetch)
    if args.output:
        _write_table(table, args.output)
    else:
        _print_table(table)
    classified = table["morph_flag"] & MorphFlag.UNCLASSIFIED == 0
    print(f"Classified {classified.sum()} of {len(table)} galaxies.", file=sys.stderr)
    return int(len(table) > 0 and not classified.any())


def _cache(args):
    from astropy import units as u

    from astromorph.cache import CutoutCache

    cache = CutoutCache(args.folder)
    if args.action == "info":
        if args.survey or args.older_than is not None:
            args.parser.error("--survey and --older-than go with clear")
        print("\n".join(f"{name:<10} {value}" for name, value in cache.info().items()))
        return 0
    older_than = None if args.older_than is None else args.older_than * u.day
    removed = cache.clear(older_than=older_than, survey=args.survey)
    print(f"Removed {removed['entries']} images, {removed['bytes'] / 1e6:.1f} MB.")
    return 0


def _check_output(args):
    """Refuse an output that could not be written, before the work rather than after it."""
    from astropy.io import registry
    from astropy.table import Table

    path = args.output
    if path.exists() and not args.overwrite:
        args.parser.error(f"{path} exists; --overwrite replaces it")
    if not path.parent.is_dir():
        args.parser.error(f"there is no folder {path.parent} to write {path.name} to")
    if not (_table_format(path)
            or registry.identify_format("write", Table, str(path), None, [], {})):
        args.parser.error(f"the name {path.name} tells no table format; "
                          "try one that ends in .fits, .ecsv, .vot or .csv")


def _table_format(path):
    """The format where astropy does not tell it from the name."""
    return "votable" if path.suffix in (".vot", ".xml") else None


def _load_classifier(args):
    from astromorph import MorphologyClassifier

    try:
        return MorphologyClassifier.from_pretrained(getattr(args, "survey", None) or "sdss",
                                                    network=args.network)
    except ValueError as error:
        args.parser.error(str(error))


def _print_table(table):
    from astromorph.questions import QUESTIONS

    shown = table.copy(copy_data=False)  # the format is for the eye only
    for question in QUESTIONS:
        shown[question.column].format = ".3f"
    print("\n".join(shown.pformat(max_lines=-1, max_width=-1)))


def _write_table(table, path):
    """Write beside the destination first, so that no half-written output is left there."""
    part = path.with_name(f".part-{path.name}")
    try:
        table.write(part, format=_table_format(path), overwrite=True)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
