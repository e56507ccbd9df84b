"""``astromorph adapt`` takes labeled galaxies and writes a weights file."""
from pathlib import Path

from astromorph.cli.galaxies import (add_galaxies, add_labels, add_network, load_classifier,
                                     read_galaxies, read_given_labels)
from astromorph.cli.output import check_file, say
from astromorph.cli.parsing import add_command, given, result_of

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph adapt labeled.fits --survey des -o mine.safetensors
astromorph adapt labeled.fits --from sdss --survey des -o mine.safetensors
astromorph adapt labeled.csv --images file --cutout-r90 8.48 -o mine.safetensors --seed 1
astromorph adapt cutouts/ --r90 measure --labels votes.ecsv -o mine.safetensors
astromorph adapt labeled.fits --images file --questions questions.toml -o mine.safetensors
"""


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "adapt", run, "Adapt a classifier to another survey with a few "
                                                 "hundred labeled galaxies.", _EXAMPLES)
    add_network(parser)
    parser.add_argument("--from", dest="start", metavar="FILE|SURVEY",
                        help="weights to start from: a file, or the name of a survey; default: "
                             "--weights, else those of --survey")
    add_galaxies(parser, batches=False)
    add_labels(parser)
    add = parser.add_argument_group("training").add_argument
    add("--questions", type=Path, metavar="FILE.toml", help="your own questions to teach, one "
        "TOML table each; default: the questions that the network answers")
    add("--train", choices=["all", "dense", "scratch", "head"], help="layers to train: all "
        "(default), the dense ones only, or all from scratch; head (default with --questions) "
        "adds a head for each question and keeps the old answers as they are")
    add("--epochs", type=int, metavar="N", help="passes over the galaxies; default: those of the "
        "network's recipe")
    add("--validation-fraction", type=float, metavar="F",
        help="part of the galaxies that chooses the epoch (0.2)")
    add("--folds", type=int, metavar="N",
        help="parts of a cross-validation that scores the weights; 0 for none; default: 3 if the "
             "validation part is small, else none")
    add("--seed", type=int, metavar="N", help="seed; the same seed gives the same weights (0)")
    add("--no-align", dest="align", action="store_const", const=False,
        help="do not align the brightness of the images first")
    add("--learning-curve", type=int, nargs="+", metavar="N",
        help="also train on these numbers of galaxies, for the report")
    add = parser.add_argument_group("output").add_argument
    add("-o", "--output", type=Path, required=True, metavar="FILE.safetensors",
        help="weights file to write")
    add("--overwrite", action="store_true", help="replace an existing output")


def run(args):
    """Return the exit status and the summary."""
    check_file(args, args.output, ".safetensors")
    galaxies = read_galaxies(args)
    classifier = load_classifier(args)
    questions = _questions(args)
    labels = read_given_labels(args, galaxies.data, questions or classifier.model.questions)
    options = galaxies.options | given(args, "key", "train", "epochs", "validation_fraction",
                                       "folds", "seed", "align", "learning_curve")
    if questions:
        options["questions"] = questions
    adapted = result_of(args, classifier.adapt, galaxies.data, labels, **options)
    adapted.write(args.output, overwrite=args.overwrite)
    print(adapted.report)
    say(args, f"Wrote {args.output}.")
    card = adapted.card
    return 0, {"output": args.output, "network": card["network"], "survey": card["survey"],
               "weights": card["sha256"], "better": adapted.report.better,
               "report": adapted.report.to_dict(),
               "heads": {head["question"]["key"]: head["training"].get("scores")
                         for head in card.get("heads", ()) if head["default"]}}


def _questions(args):
    """The questions of the file, or None."""
    from astromorph.question_files import read_questions

    try:
        return args.questions and read_questions(args.questions)
    except OSError as error:
        args.parser.error(f"--questions: {error}")
