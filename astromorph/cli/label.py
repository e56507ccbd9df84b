"""``astromorph label`` shows galaxies on a page in the browser and writes their labels."""
from pathlib import Path

from astromorph.cli.galaxies import add_galaxies, add_network, load_classifier, read_galaxies
from astromorph.cli.output import add_output, say
from astromorph.cli.parsing import add_command, explain, given

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph label cutouts/ -o labels.csv
astromorph label cat.fits --survey des -o labels.csv
astromorph label cutouts/ --questions ring.toml --labeler Ann -o rings.csv
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "label", run, "Label galaxies in the browser with one key each, "
                         "while a classifier learns from the labels.", _EXAMPLES)
    add_network(parser)
    add_galaxies(parser, batches=False)
    add = parser.add_argument_group("labels").add_argument
    add("--questions", type=Path, metavar="FILE",
        help="TOML file with a question of your own; default: disk, edge-on and bar")
    add("--labeler", metavar="NAME", help="who labels; default: the name of the account")
    add("--seed", type=int, metavar="N", help="seed that draws the sealed galaxies, on which the "
        "classifier never trains (0)")
    add("--compare", type=Path, action="append", metavar="FILE",
        help="labels of somebody else for the same galaxies, to see how well you agree")
    add("--no-learn", dest="learn", action="store_const", const=False,
        help="do not train while you label")
    add = parser.add_argument_group("the page").add_argument
    add("--port", type=int, metavar="N", help="port of the page on this machine; default: a free "
        "one")
    add("--no-browser", dest="browser", action="store_const", const=False,
        help="do not open the browser; print the address of the page")
    add_output(parser, "table of labels (FILE.journal beside it keeps every answer)",
               default="labels.csv")


def run(args):
    """Return the exit status and the summary."""
    from astromorph.errors import DestinationError
    from astromorph.labeling.opening import open_conversation
    from astromorph.labeling.page import serve  # raises an error if the extra is missing
    from astromorph.model.files import WEIGHTS
    from astromorph.question_files import read_questions

    galaxies = read_galaxies(args)
    options = {name: value for name, value in galaxies.options.items()
               if name not in ("threads", "progress")}
    questions = read_questions(args.questions) if args.questions else None
    args.output = args.output or Path("labels.csv")
    try:
        conversation = open_conversation(
            load_classifier(args), galaxies.data, args.output, questions=questions,
            overwrite=args.overwrite, output_format=args.output_format,
            **given(args, "labeler", "seed", "compare", "learn"), **options)
    except DestinationError as error:
        error.argument = "--output"
        args.parser.error(explain(args, error))
    try:
        serve(conversation, keep=f"{conversation.session.journal.path}.page",
              **given(args, "port", "browser"))
    finally:
        conversation.close()
    progress = conversation.session.progress()
    say(args, f"Labeled {progress['answered']} of {progress['total']} galaxies: {args.output}.")
    learner = conversation.learner
    if learner is not None and learner.state()["status"] == "teaching":
        say(args, "The training had not ended, so its result is lost. Run the same command again, "
                  "and press Save.")
    elif (conversation.folder / WEIGHTS).exists():
        say(args, f"Your classifier: astromorph classify ... --weights {conversation.folder}")
    return int(progress["answered"] == 0), {
        "rows": progress["total"], "labeled": progress["answered"], "output": args.output}
