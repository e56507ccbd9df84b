"""``astromorph classify`` takes images or positions and writes a table with probabilities."""
import shutil
from pathlib import Path

from astromorph.cli.galaxies import (add_galaxies, add_network, add_questions, load_classifier,
                                     open_galaxies, read_galaxies)
from astromorph.cli.output import (add_output, check_apart, check_input, check_output, check_page,
                                   count_outcomes, may_replace, say, write_output)
from astromorph.cli.parsing import add_command, given, result_of

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph classify cutouts/*.jpg --cutout-r90 8.48 -o morphology.fits
astromorph classify galaxies.fits --images file --r90 measure -o morphology.fits
astromorph classify cat.fits --survey legacy -o morphology.fits --resume --report report.html
astromorph classify cat.csv --ra RA --dec DEC --r90 radius:arcsec -o morphology.vot
astromorph classify cat.parquet --survey legacy --dry-run
astromorph classify survey_hats --survey legacy --workers 8 -o morphology_hats --resume
astromorph classify --region "icrs; circle(194.95, 27.98, 0.17)" -o coma.vot
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "classify", run,
                         "Classify galaxy cutouts, or galaxies by position.", _EXAMPLES)
    add_network(parser)
    add_galaxies(parser)
    _add_region(parser)
    add = parser.add_argument_group("what to compute").add_argument
    add_questions(add)
    add("--uncertainty", choices=["views", "dropout"],
        help="add standard deviations of the probabilities: over rotations and reflections of the "
             "image (views), or by Monte-Carlo dropout")
    add("--joint", action="store_const", const=True,
        help="add joint probabilities, such as P_bar_joint: a disk, not edge-on, with a bar")
    add("--provenance", action="store_const", const=True,
        help="add columns that say where each image came from")
    add("--precision", choices=["float32", "bfloat16"],
        help="default: bfloat16 if the processor has it and it does not change probabilities "
             "noticeably")
    add = add_output(parser, "table")
    add("--report", type=Path, metavar="FILE.html", help="also write a page that shows the result")
    _add_long_runs(parser)
    parser.set_defaults(if_interrupted="; with --resume, the same command continues the run")


def _add_region(parser):
    add = parser.add_argument_group("a region of the sky").add_argument
    add("--region", metavar="REGION", help="classify the galaxies that the survey's catalog has "
        "in this region: text in DS9's notation, or a file with one region (.reg, .fits)")
    add("--max-rows", type=int, metavar="N", help="largest number of galaxies (100000)")
    add("--faint-limit", type=float, metavar="MAG", help="r magnitude of the faintest galaxies")


def _add_long_runs(parser):
    add = parser.add_argument_group("long runs").add_argument
    add("--dry-run", action="store_true", help="say how many rows, requests, MB and minutes to "
        "expect; send no request")
    add("--resume", action="store_true", help="keep finished rows in OUTPUT.checkpoint until the "
        "output is written, and continue from them")
    add("--checkpoint", type=Path, metavar="DIR", help="keep finished rows in this folder, also "
        "after the output is written")
    add("--workers", type=int, metavar="N",
        help="processes that share the work, from one HATS catalog to another")


def run(args):
    """Return the exit status and the summary."""
    _check(args)
    if args.dry_run:
        from astromorph.cli.dry_run import forecast

        return 0, forecast(args)
    output_format = check_output(args)
    if args.report is not None:
        check_page(args, args.report)
    if output_format == "hats" and len(args.files) == 1:
        from astromorph.tables.hats import is_hats

        if is_hats(args.files[0]):
            from astromorph.cli.hats import classify_hats

            return _finish(args, *classify_hats(args))
    if args.workers:
        args.parser.error("--workers needs a HATS catalog as input and as output")
    return _finish(args, *_classify(args, output_format))


def _check(args):
    if args.region is not None and (args.files or args.images):
        args.parser.error("--region takes the galaxies of the survey's catalog; leave out FILE "
                          "and --images")
    if args.region is None and given(args, "max_rows", "faint_limit"):
        args.parser.error("--max-rows and --faint-limit need --region")
    if args.resume and not (args.output or args.checkpoint):
        args.parser.error("--resume needs --output or --checkpoint")
    check_apart(args, output=args.output, report=args.report, checkpoint=args.checkpoint)


def _classify(args, output_format):
    """Counts of outcomes, and the provenance."""
    galaxies = read_galaxies(args)
    check_input(args, galaxies.data, output_format)
    checkpoint = args.checkpoint or (_beside(args.output) if args.resume else None)
    options = galaxies.options | given(args, "questions", "uncertainty", "joint", "provenance",
                                       "precision")
    if checkpoint is not None:
        options["checkpoint"] = checkpoint
    classifier = load_classifier(args)
    if args.region is None:
        table = result_of(args, classifier.classify, galaxies.data, **options)
    else:
        table = result_of(args, classifier.classify_region, read_region(args.region), **options,
                          **given(args, "max_rows", "faint_limit"))
    outcome = count_outcomes(table["morph_flag"])
    write_output(args, table)
    if args.resume and args.checkpoint is None:
        shutil.rmtree(checkpoint, ignore_errors=True)
    if args.report is not None:
        _write_report(args, table, classifier, galaxies)
    return outcome, table.meta


def _finish(args, outcome, meta):
    """Say how many galaxies were classified; return the exit status and the summary."""
    rows, classified = outcome["rows"], outcome["classified"]
    nothing = rows > 0 and classified == 0
    why = ", ".join(f"{name} {count}" for name, count in outcome["flags"].items())
    say(args, f"Classified {classified} of {rows} galaxies" + (f" ({why})." if why else "."))
    origin = {name: meta.get(key) for name, key in {
        "network": "MORPHNET", "survey": "MORPHSRV", "weights": "MORPHWGT",
        "images": "MORPHIMG"}.items() if meta.get(key)}
    return int(nothing), {
        **outcome, "output": args.output, "report": args.report, **origin}


def read_region(text):
    """Read a region from DS9's notation, or from a file."""
    from regions import Regions

    try:
        found = (Regions.read(text) if Path(text).is_file()
                 else Regions.parse(text.replace("\\n", ";"), format="ds9"))
    except Exception as error:  # the parsers raise errors of many kinds
        raise ValueError(f"--region: {text} cannot be read: {error}") from error
    if len(found) != 1:
        raise ValueError("--region: expected one region, in a file or in DS9's notation, such as "
                         f"'icrs; circle(194.95, 27.98, 0.17)'. Received {len(found)} regions in "
                         f"{text!r}.")
    return found[0]


def _beside(output):
    return output.with_name(f"{output.name}.checkpoint")


def _write_report(args, table, classifier, galaxies):
    from astromorph.report import write_report

    images = galaxies.options.get("images") or galaxies.data
    if galaxies.positions:
        images = _from_cache(table, classifier, galaxies)
    write_report(table, args.report, classifier=classifier, images=images,
                 overwrite=may_replace(args, args.report))


def _from_cache(table, classifier, galaxies):
    """A function that returns the image of a row from the cache, or None."""
    from dataclasses import replace

    from astromorph.errors import FetchError

    source = open_galaxies(replace(galaxies, data=table), classifier, offline=True)

    def image(row):
        try:
            return source.fetch(row).image.data
        except FetchError:
            return None

    return image
