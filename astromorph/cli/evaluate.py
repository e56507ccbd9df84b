"""``astromorph evaluate`` takes labeled galaxies and writes scores."""
from astromorph.cli.galaxies import (add_galaxies, add_labels, add_network, add_questions,
                                     load_classifier, read_galaxies, read_given_labels)
from astromorph.cli.output import add_output, check_output, say, write_output
from astromorph.cli.parsing import add_command, given, result_of

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph evaluate classified.fits
astromorph evaluate classified.fits --labels votes.fits --threshold 0.8 -o scores.ecsv
astromorph evaluate labeled.fits --images file --cutout-r90 8.48 --weights mine.safetensors
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "evaluate", run, "Score probabilities against labels, in a "
                         "classified table or for galaxies to classify.", _EXAMPLES)
    add_network(parser)
    add_galaxies(parser)
    add_labels(parser)
    add = parser.add_argument_group("scores").add_argument
    add_questions(add)
    add("--threshold", type=float, metavar="P",
        help="probability from which a galaxy counts as positive (0.5)")
    add("--no-intervals", dest="intervals", action="store_const", const=False,
        help="leave out the bootstrap intervals (68%%)")
    add_output(parser, "table of scores")


def run(args):
    """Return the exit status and the summary."""
    check_output(args)
    galaxies = read_galaxies(args)
    classifier = load_classifier(args)
    questions = (classifier.model.find_questions(args.questions) if args.questions
                 else classifier.questions)
    labels = read_given_labels(args, galaxies.data, questions)
    scores = result_of(args, classifier.evaluate, galaxies.data, labels, **galaxies.options,
                       **given(args, "questions", "key", "threshold", "intervals"))
    nothing = not scores["n"].any()
    if nothing:
        say(args, "No galaxy has both a label and a probability: there is nothing to score.")
        # A table that came with probabilities gets its empty scores all the same.
        nothing = not _is_classified(galaxies.data, questions)
    if not nothing:
        write_output(args, scores)
    return int(nothing), {
        "output": None if nothing else args.output,
        "scores": [{name: _plain(row[name]) for name in scores.colnames
                    if not _is_masked(row[name])} for row in scores]}


def _is_classified(data, questions):
    columns = {column for question in questions for column in question.columns}
    return columns <= set(getattr(data, "colnames", ()))


def _plain(value):
    """A value for JSON: null for an undefined score."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and value != value else value


def _is_masked(value):
    return getattr(value, "mask", False) is not False
