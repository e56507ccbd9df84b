"""``astromorph info``: what surveys and weights there are, and what a weights file is."""
from pathlib import Path

from astromorph.cli.parsing import add_command

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph info
astromorph info legacy
astromorph info sdss --network ds18
astromorph info mine.safetensors
"""
_SCORES = ("n", "n_positive", "TPR", "precision", "accuracy", "AUC")


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "info", run, "Tell what surveys and weights there are, or what "
                                                "a weights file is.", _EXAMPLES)
    parser.add_argument("what", nargs="?", metavar="FILE|SURVEY",
                        help="a weights file, or a survey; default: an overview")
    parser.add_argument("--network", metavar="NAME", help="network of the survey's weights")


def run(args):
    """Exit status and summary."""
    from astromorph.errors import wrong
    from astromorph.model import files as weights
    from astromorph.surveys import SURVEYS

    if args.what is None:
        if args.network:
            args.parser.error("--network goes with a survey")
        return 0, _overview(weights.bundled(), SURVEYS)
    if args.what.lower() in SURVEYS:
        survey, path = weights.find_bundled(args.what, args.network)
        _show(_survey_lines(SURVEYS[survey]))
        print()
        return 0, _card(path, survey)
    if not Path(args.what).exists():
        raise wrong("FILE|SURVEY", f"a weights file, or one of {', '.join(SURVEYS)}",
                    f"{args.what!r}; there is no such file")
    return 0, _card(args.what)


def _overview(files, surveys):
    print("Surveys:")
    for survey in surveys.values():
        networks = [network for name, network in files if name == survey.name]
        print(f"  {survey.name:8} {survey.title} {survey.release}: bands "
              f"{''.join(survey.bands)}; weights {', '.join(networks)}")
    from astromorph.model.files import DEFAULT

    print(f"Where no network is named, {DEFAULT} is taken. 'astromorph info SURVEY' and "
          "'astromorph info FILE' tell more.")
    return {"surveys": {name: {"title": survey.title, "release": survey.release,
                               "bands": survey.bands, "services": survey.services,
                               "networks": [network for owner, network in files if owner == name]}
                        for name, survey in surveys.items()}}


def _survey_lines(survey):
    low, high = survey.declinations
    return {"survey": f"{survey.title} {survey.release} ({survey.name})",
            "bands": f"{''.join(survey.bands)}, shown as red, green, blue: {''.join(survey.rgb)}",
            "pixels": survey.pixel_scale, "seeing": survey.psf_fwhm,
            "depth": f"r = {survey.depth}", "declinations": f"{low} to {high} degrees",
            "images by": ", ".join(survey.services), "catalog": survey.catalog}


def _card(path, survey=None):
    from astromorph.model import files as weights

    card, _ = weights.read_weights(path)
    card |= {"survey": survey} if survey else {}
    _show({"weights": Path(path).name, "network": card["network"], "for survey": card["survey"],
           "sha256": card["sha256"], "questions": ", ".join(card["questions"]),
           "images": f"{card['size']} pixels, {card['frame_r90']} R90 wide",
           "aligned": card.get("alignment") and f"to {card['alignment']['n_images']} images",
           "trained on": ", ".join(card.get("training", {}).get("sets", [])),
           "adapted from": card.get("adapted", {}).get("from", "")[:16],
           "made": f"{card.get('made', '')} by astromorph {card.get('version', '')}",
           "license": card.get("license"), "cite": "; ".join(card.get("citations", []))})
    _print_scores(card)
    return {"card": card}


def _show(lines):
    texts = {name: str(value) for name, value in lines.items() if value is not None}
    print("\n".join(f"{name:14} {text}" for name, text in texts.items() if text))


def _print_scores(card):
    from astropy.table import Table

    tests = card.get("test") or []
    if not tests:
        return
    names = [name for name in ("set", "question", *_SCORES) if all(name in row for row in tests)]
    scores = Table({name: [row[name] for row in tests] for name in names})
    for name in scores.colnames:
        if scores[name].dtype.kind == "f":
            scores[name].format = ".3f"
    print(f"\nScores on galaxies that were not trained on ({card.get('tested_by', 'a test set')}):")
    print("\n".join(scores.pformat(max_lines=-1, max_width=-1)))
