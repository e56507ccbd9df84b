"""``astromorph look`` shows a classified table as a gallery in the browser."""
from pathlib import Path

from astromorph.cli.galaxies import add_galaxies, add_network, load_classifier, read_galaxies
from astromorph.cli.output import add_output, check_output, say
from astromorph.cli.parsing import add_command, given

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph look classified.fits -o selected.csv
astromorph look classified.fits --images file --network pinwheel
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "look", run, "Look at a classified table in the browser: sort, "
                         "filter, find similar galaxies, select, correct answers.", _EXAMPLES)
    add_network(parser)
    add_galaxies(parser, batches=False)
    add = add_output(parser, "table of the selected galaxies", default="none")
    add("--labels", type=Path, metavar="FILE",
        help="table of your corrections, with a journal beside it; default: TABLE.labels.csv "
             "beside the output, else beside the table")
    add("--questions", type=Path, metavar="FILE",
        help="TOML file with the question that corrections answer; default: that of the table")
    add("--labeler", metavar="NAME", help="who corrects; default: the name of the account")
    page = parser.add_argument_group("the page").add_argument
    page("--port", type=int, metavar="N", help="port of the page on this machine; default: a free "
         "one")
    page("--no-browser", dest="browser", action="store_false",
         help="do not open the browser; print the address of the page")


def run(args):
    """Return the exit status and the summary."""
    from astromorph.labeling.gallery import Gallery
    from astromorph.labeling.looking import LookConversation
    from astromorph.labeling.page import serve  # says what is missing, if it is
    from astromorph.labeling.selected import corrections_journal
    from astromorph.question_files import read_questions

    format = check_output(args)
    table, options = _read(args)
    labels = args.labels or _beside(args)
    classifier = load_classifier(args) if args.weights or args.network else None
    gallery = Gallery(table, classifier, journal=corrections_journal(labels),
                      labeler=args.labeler, **options, questions=args.questions and
                      read_questions(args.questions))
    conversation = LookConversation(gallery, title=Path(args.files[0]).name, output=args.output,
                                    labels=labels, output_format=format)
    try:
        serve(conversation, browser=args.browser, **given(args, "port"))
    finally:
        conversation.close()
    chosen, corrected = int(gallery.chosen.sum()), gallery.n_answers
    say(args, f"Selected {chosen} of {len(gallery)} galaxies; corrected {corrected}.")
    return 0, {"rows": len(gallery), "selected": chosen, "corrected": corrected,
               "output": args.output, "labels": labels if corrected else None}


def _read(args):
    """The table, and the options that say which images."""
    from astropy.table import Table

    galaxies = read_galaxies(args)
    if not isinstance(galaxies.data, Table):
        args.parser.error("FILE: expected one table that 'astromorph classify' wrote")
    return galaxies.data, {name: value for name, value in galaxies.options.items()
                           if name not in ("threads", "progress")}


def _beside(args):
    table = Path(args.files[0])
    folder = args.output.parent if args.output else table.parent
    return folder / f"{table.name}.labels.csv"
