"""Options that several commands share: which galaxies, which images, which network."""
import argparse
from dataclasses import dataclass, field
from pathlib import Path

from astromorph.cli.parsing import (ColumnWithUnit, angle, angle_or_column, explain, given,
                                    number_or_word, survey_or_record)

__all__ = ["Galaxies", "add_galaxies", "add_labels", "add_network", "add_questions",
           "load_classifier", "open_galaxies", "read_galaxies", "read_given_labels"]

_SKY = ("ra", "dec", "width", "ids", "local", "services", "pixels", "cache", "offline", "max_age",
        "footprint", "per_host", "timeout", "retries", "provenance")
"""Options for positions only."""
_OF_RUNS = ("threads", "batch_size", "progress")


@dataclass
class Galaxies:
    """Arguments for `~astromorph.classifier.MorphologyClassifier.classify`.

    Parameters
    ----------
    data : `~astropy.table.Table` or list of str
        The galaxies. None for those of a region, which are in the survey's catalog.
    options : dict
        Options of ``classify``.
    positions : bool
        Whether astromorph downloads the images by position.
    """

    data: object
    options: dict = field(default_factory=dict)
    positions: bool = False


def add_galaxies(parser, *, batches=True):
    """Add the options that say which galaxies and which images."""
    _add_columns(parser)
    _add_services(parser)
    run = parser.add_argument_group("the run")
    run.add_argument("--threads", type=int, metavar="N",
                     help="threads that download and read images")
    if batches:
        run.add_argument("--batch-size", type=int, metavar="N",
                         help="galaxies in one pass of the network")
    run.add_argument("--progress", action=argparse.BooleanOptionalAction,
                     help="show a progress bar; default: on a terminal; elsewhere, a line about "
                          "every half minute")


def _add_columns(parser):
    parser.add_argument("files", nargs="*", metavar="FILE",
                        help="a table (FITS, VOTable, ECSV, Parquet, CSV, HATS), or cutouts (JPEG, "
                             "PNG, FITS, or a folder of them)")
    add = parser.add_argument_group("galaxies").add_argument
    add("--input-format", metavar="NAME", help="format of the table, if its name does not say it: "
        "fits, votable, ecsv, parquet, csv or hats")
    add("--hdu", metavar="NAME", help="name or number of the table's HDU in a FITS file; "
        "default: the first one with positions")
    add("--images", metavar="COLUMN",
        help="column with the file names of the images, or the file name of one image that shows "
             "all galaxies; if the table has positions and an image has a WCS, astromorph cuts "
             "out each galaxy at its position")
    add("--positions", action="store_true",
        help="download images of the table's positions; default for a table without --images")
    add("--ra", metavar="COLUMN", help="column of right ascensions, or of positions; default: the "
        "columns with usual names")
    add("--dec", metavar="COLUMN", help="column of declinations")
    add("--r90", type=angle_or_column, metavar="X",
        help="Petrosian R90: a column, COLUMN:UNIT, an angle such as 6arcsec, or 'measure' (on "
             "each image); default: the column with a usual name, such as petroR90_r; for cutouts "
             "without that column or a pixel scale, 'measure'")
    add("--cutout-r90", type=number_or_word, metavar="X",
        help="width of the cutouts in R90 of their galaxy: a number, or a column; default: "
             "computed from --r90")
    add("--pixel-scale", type=angle_or_column, metavar="X",
        help="angle of a pixel, for cutouts without world coordinates: an angle such as "
             "0.262arcsec, a column, or COLUMN:UNIT")
    add("--width", type=angle_or_column, metavar="X",
        help="width of the frames: an angle such as 40arcsec, a column, or COLUMN:UNIT")
    add("--ids", "--names", metavar="COLUMN", help="column of the identifiers that name the files "
        "in --local")


def _add_services(parser):
    add = parser.add_argument_group("images").add_argument
    add("--survey", type=survey_or_record, metavar="NAME",
        help="survey of the images, which also chooses the weights: sdss (default), one that "
             "'astromorph info surveys' lists, or a TOML file with the record of your own; the "
             "colors of FITS images follow from their bands by default")
    add("--bands", metavar="LETTERS", help="bands of FITS planes in their order, such as grz")
    add("--offline", action="store_const", const=True,
        help="send no request; use only images from the cache or from --local")
    add("--local", type=Path, metavar="DIR",
        help="your own images: a folder of files named after the galaxies, or a HiPS")
    add("--local-pattern", metavar="PATTERN",
        help="names of the files in --local, such as '{name}.jpg' or '{name}_{band}.fits'")
    add("--local-width", type=angle, metavar="ANGLE", help="width of the pictures in --local, an "
        "angle such as 40arcsec")
    add("--services", metavar="NAMES", help="image services to try, in this order, such as "
        "viewer,hips2fits; default: those of the survey")
    add("--pixels", type=int, metavar="N", help="pixels on a side of the images to download")
    add("--cache", metavar="DIR", help="folder that keeps images, or 'no'; default: the usual one")
    add("--max-age", type=float, metavar="DAYS", help="download images again that are older than "
        "this")
    add("--footprint", action="store_const", const=True,
        help="send no request for galaxies outside of the survey's coverage map; astromorph "
             "downloads the map once from the CDS")
    add("--per-host", type=int, metavar="N", help="most requests at a time to a host (6)")
    add("--timeout", type=float, metavar="SECONDS", help="time to wait for an answer (30)")
    add("--retries", type=int, metavar="N", help="attempts after the first one has failed (6)")


def add_network(parser):
    """Add the options that say which weights."""
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--network", metavar="NAME",
                         help="pinwheel (default); whirlpool, slower and more precise; or ds18, "
                              "the network of the paper")
    weights.add_argument("--weights", metavar="FILE",
                         help="a weights file that 'astromorph adapt' wrote, a folder that "
                              "'astromorph label' wrote, or an address: "
                              "hf://USER/NAME@COMMIT, or https://HOST/FILE#sha256=CHECKSUM")


def add_questions(add):
    """Add the option that says which questions to answer."""
    add("--questions", type=_names, metavar="NAMES", help="keys or columns of the questions to "
        "answer, such as disk,ring, or 'all'; default: those of the network and those you taught")


def _names(text):
    return [name.strip() for name in text.split(",")]


def add_labels(parser):
    """Add the options that say where labels are."""
    add = parser.add_argument_group("labels").add_argument
    add("--labels", type=Path, metavar="TABLE",
        help="table of labels (disk, edge_on, bar: 1, 0 or missing) or of Galaxy Zoo votes; "
             "matched by the names of the galaxies, else row by row; default: columns of the table "
             "of galaxies")
    add("--key", metavar="COLUMN", help="column that names the galaxies, in --labels and in the "
        "table of galaxies; default: one with a usual name, such as file, name, id or objid")
    add("--vote-threshold", type=float, metavar="F",
        help="fraction of the votes that an answer must exceed to become a label (0.7)")
    add("--min-votes", type=float, metavar="N", help="least number of votes on a question (5)")
    add("--agreement", type=float, metavar="A",
        help="least agreement of the votes, in place of --vote-threshold")
    add("--dialect", metavar="NAME", help="catalog whose vote columns to use, if the table has "
        "those of several")


def read_galaxies(args, data=None):
    """Read the galaxies that the arguments name; ``data`` replaces the table that they name."""
    files = _files(args)
    positions = bool(getattr(args, "region", None)) or args.positions or (
        not args.images and len(files) == 1 and _is_table(files[0], args.input_format))
    _check(args, files, positions)
    _find(files)
    if data is None:
        is_table = files and (positions or args.images)
        data = _read(files[0], args.input_format, args.hdu) if is_table else files
    options = given(args, "images", "cutout_r90", "survey", "bands", "threads", "batch_size",
                    "progress") | _angles(args, data)
    if args.quiet:
        options["progress"] = False
    if positions:
        options |= _sky_options(args)
    return Galaxies(data if files else None, options, positions)


def open_galaxies(galaxies, classifier, **options):
    """Open the source of the galaxies as ``classify`` would."""
    from astromorph.galaxies import open_source

    given = {name: value for name, value in galaxies.options.items() if name not in _OF_RUNS}
    return open_source(classifier.model, galaxies.data, **given | options)


def load_classifier(args):
    """Load the classifier that the arguments name."""
    from astromorph import MorphologyClassifier
    from astromorph.model.remote import is_address
    from astromorph.surveys import SURVEYS

    start = getattr(args, "start", None)
    if start is not None and args.weights is not None:
        args.parser.error("give --from or --weights, not both")
    path = args.weights if start is None or start.lower() in SURVEYS else start
    if start is not None and path == start and not (is_address(start) or Path(start).exists()):
        args.parser.error(f"--from: expected a weights file, or one of {', '.join(SURVEYS)}. "
                          f"Received {start!r}; there is no such file.")
    if path is not None:
        if args.network is not None:
            args.parser.error("--network needs the weights of a survey; a weights file has its own "
                              "network")
        if not is_address(path):
            return MorphologyClassifier.read(path)
    try:
        return MorphologyClassifier.from_pretrained(path or start or args.survey or "sdss",
                                                    network=args.network)
    except ValueError as error:
        args.parser.error(explain(args, error))


def read_given_labels(args, data, questions):
    """Read the labels that the arguments name; None if they are columns of the galaxies."""
    from astromorph.errors import ArgumentError
    from astromorph.learning.labels import labels_of

    choices = given(args, "min_votes", "agreement", "dialect")
    if args.vote_threshold is not None:
        choices["threshold"] = args.vote_threshold
    if args.key is not None and args.labels is None:
        args.parser.error("--key needs --labels")
    if args.labels is None and not choices:
        return None
    table = data if args.labels is None else _read(args.labels)
    try:
        return labels_of(table, questions, key=args.key, **choices)
    except ArgumentError as error:
        if error.argument == "threshold":  # --threshold is the one of probabilities
            error.argument = "vote_threshold"
        raise


def _read(path, format=None, hdu=None):
    from astromorph.tables import read_table

    hdu = int(hdu) if hdu is not None and hdu.isdigit() else hdu
    return read_table(path, format=format, hdu=hdu)


def _files(args):
    """Names of the files, with those in folders of cutouts."""
    files = []
    for name in args.files:
        files += _pictures_in(name) if _is_folder_of_cutouts(name, args) else [name]
    if not args.files and not getattr(args, "region", None):
        args.parser.error("the following arguments are required: FILE")
    if not files and args.files:
        args.parser.error(f"there are no images in {' '.join(args.files)}")
    return files


def _find(files):
    """Raise an error if no file exists; a single missing one becomes a flagged row."""
    if files and not any(Path(name).exists() for name in files):
        raise FileNotFoundError(f"there is no file {files[0]}" if len(files) == 1 else
                                f"none of the {len(files)} files exists, such as {files[0]}")


def _is_folder_of_cutouts(name, args):
    if not Path(name).is_dir() or args.input_format:
        return False
    from astromorph.tables.hats import is_hats

    return not is_hats(name)


def _pictures_in(folder):
    from astromorph.names import is_image_name

    return sorted(str(path) for path in Path(folder).iterdir()
                  if is_image_name(path.name) and not path.name.startswith("."))


def _is_table(path, input_format):
    from astromorph.galaxies.kinds import is_table_file

    return input_format is not None or is_table_file(path)


def _check(args, files, positions):
    error = args.parser.error
    if args.images and args.positions:
        error("give --images or --positions, not both")
    if (positions or args.images) and len(files) > 1:
        error(f"--images and --positions take one table, not {len(files)} files")
    if not positions:
        for name in _SKY:
            if getattr(args, name, None) not in (None, False):
                error(f"--{name.replace('_', '-')} needs a table of positions")
    if args.hdu is not None and not (positions or args.images):
        error("--hdu needs a table of galaxies")
    if args.local is None and (args.local_pattern or args.local_width is not None):
        error("--local-pattern and --local-width need --local")
    if args.dec is not None and args.ra is None:
        error("--dec needs --ra")


def _angles(args, data):
    """R90, width and pixel scale; a column gets the unit that the argument names."""
    angles = given(args, "r90", "width", "pixel_scale")
    for option, value in angles.items():
        if isinstance(value, ColumnWithUnit):
            if value.name not in getattr(data, "colnames", ()):
                raise ValueError(f"--{option.replace('_', '-')}: there is no column {value.name!r}")
            data[value.name].unit = value.unit
            angles[option] = value.name
    return angles


def _sky_options(args):
    """Options of the image services."""
    from astropy import units as u

    from astromorph.cutouts import FetchOptions

    fetch = set(FetchOptions.names()) - {"bands", "services", "max_age"}
    options = given(args, "ra", "dec", "ids", *sorted(fetch))
    if args.cache == "no":
        options["cache"] = False
    if args.max_age is not None:
        options["max_age"] = args.max_age * u.day
    services = [_local(args)] if args.local is not None else []
    services += args.services.split(",") if args.services else []
    return options | ({"services": services} if services else {})


def _local(args):
    from astromorph.errors import ArgumentError
    from astromorph.services import LocalFolder, LocalHips

    try:
        if (args.local / "properties").is_file():
            return LocalHips(args.local)
        return LocalFolder(args.local, width=args.local_width,
                           **({"pattern": args.local_pattern} if args.local_pattern else {}))
    except ArgumentError as error:
        error.argument = {"pattern": "local_pattern", "width": "local_width"}.get(
            error.argument, "local")
        raise
