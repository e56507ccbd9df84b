"""``astromorph info`` lists surveys and weights, and shows what a weights file contains."""
from argparse import ArgumentTypeError
from pathlib import Path

from astromorph.cli.parsing import add_command, survey_or_record

__all__ = ["add_parser", "run"]

_EXAMPLES = """
astromorph info
astromorph info surveys
astromorph info legacy
astromorph info sdss --network ds18
astromorph info mine.safetensors
"""
_SCORES = ("question", "n", "n_positive", "TPR", "precision", "accuracy", "AUC")


def add_parser(commands):
    """Add the command."""
    parser = add_command(commands, "info", run, "List surveys and weights, or show what a weights "
                                                "file contains.", _EXAMPLES)
    parser.add_argument("what", nargs="?", metavar="FILE|SURVEY",
                        help="a weights file or its address, a survey, a TOML file with the record "
                             "of a survey, or 'surveys' for a table of all; default: an overview")
    parser.add_argument("--network", metavar="NAME", help="network of the survey's weights")


def run(args):
    """Return the exit status and the summary."""
    from astromorph.errors import wrong
    from astromorph.model import files as weights
    from astromorph.model.remote import WeightsAddress, fetch_weights, is_address
    from astromorph.surveys import SURVEYS

    if args.what is None:
        if args.network:
            args.parser.error("--network needs a survey")
        return 0, _overview(weights.bundled(), SURVEYS)
    if args.what.lower() == "surveys":
        return 0, _surveys(weights.bundled(), SURVEYS)
    if is_address(args.what):
        return 0, _card(fetch_weights(args.what), name=WeightsAddress.of(args.what).shown)
    if args.what.lower() in SURVEYS or args.what.lower().endswith(".toml"):
        survey, path, owner = weights.find_bundled(_record(args), args.network)
        _show(_survey_lines(survey))
        print()
        return 0, _card(path, (owner or survey).name)
    if not Path(args.what).exists():
        raise wrong("FILE|SURVEY", f"a weights file, 'surveys', or one of {', '.join(SURVEYS)}",
                    f"{args.what!r}; there is no such file")
    return 0, _card(args.what)


def _record(args):
    try:
        return survey_or_record(args.what)
    except ArgumentTypeError as error:
        args.parser.error(str(error))


def _overview(files, surveys):
    from astromorph.model.files import DEFAULT

    print("Surveys:")
    width = max(map(len, surveys))
    for survey in surveys.values():
        networks = _weights(files, survey)
        print(f"  {survey.name:{width}} {survey.title} {survey.release}: bands "
              f"{_listed(survey.bands)}; weights {networks}")
    print(f"The default network is {DEFAULT}. 'astromorph info surveys', 'astromorph info SURVEY' "
          "and 'astromorph info FILE' show more.")
    return {"surveys": {name: _summary(files, survey) for name, survey in surveys.items()}}


def _surveys(files, surveys):
    """Print a table of the surveys, one line each."""
    from astropy.table import Table

    lines = [{"survey": survey.name, "release": survey.release, "bands": _listed(survey.bands),
              "shown": _listed(survey.rgb), "services": ", ".join(survey.services) or "-",
              "declinations": "{:g} to {:g}".format(*survey.declinations),
              "weights": _weights(files, survey)}
             for survey in surveys.values()]
    print("\n".join(Table(lines).pformat(max_lines=-1, max_width=-1, align="<")))
    print("'of SURVEY' means weights of that survey, the most similar one. Adapt or evaluate them "
          "before you trust their answers.")
    return {"surveys": {name: _summary(files, survey) for name, survey in surveys.items()}}


def _summary(files, survey):
    return {"title": survey.title, "release": survey.release, "bands": survey.bands,
            "services": survey.services, "declinations": survey.declinations,
            "networks": _networks(files, survey), "weights_of": _owner(survey)}


def _networks(files, survey):
    return [network for owner, network in files if owner == survey.name]


def _owner(survey):
    """Name of the survey whose weights are used instead, or None."""
    from astromorph.model.files import find_bundled

    owner = find_bundled(survey)[2]
    return owner and owner.name


def _weights(files, survey):
    return ", ".join(_networks(files, survey)) or f"of {_owner(survey)}"


def _listed(bands):
    from astromorph.images.bands import band_text

    return band_text(bands)


def _survey_lines(survey):
    low, high = survey.declinations
    shown = {3: "red, green, blue", 2: "red, blue", 1: "gray"}[len(survey.rgb)]
    return {"survey": f"{survey.title} {survey.release} ({survey.name})",
            "bands": f"{_listed(survey.bands)}, shown as {shown}: {_listed(survey.rgb)}",
            "pixels": survey.pixel_scale, "seeing": survey.psf_fwhm,
            "depth": survey.depth and f"r = {survey.depth}",
            "declinations": f"{low:g} to {high:g} degrees",
            "images by": ", ".join(survey.services), "catalog": survey.catalog,
            "only reported": " ".join(survey.reported.split())}


def _card(path, survey=None, name=None):
    from astromorph.model import Card
    from astromorph.model import files as weights
    from astromorph.model.heads import head_arrays

    record, arrays = weights.read_weights(path)
    with weights.reading(name or path):
        card = Card.from_json(record, head_arrays(arrays)[0])
    record |= {"survey": survey} if survey else {}
    _show({"weights": name or Path(path).name,
           "network": card.network, "for survey": record["survey"],
           "sha256": card.sha256, "questions": ", ".join(card.keys), **_heads(card.heads),
           "images": f"{card.size} pixels, {card.frame_r90} R90 wide",
           "aligned": card.alignment and f"to {card.alignment.n_images} images",
           "trained on": ", ".join((card.training or {}).get("sets", ())),
           "adapted from": (card.adapted or {}).get("from", "")[:16],
           "made": f"{card.more.get('made', '')} by astromorph {card.more.get('version', '')}",
           "license": card.more.get("license"),
           "cite": "; ".join(card.more.get("citations", ()))})
    _print_scores(card)
    return {"card": record}


def _heads(heads):
    """Questions that heads answer: by default, and only if asked."""
    return {name: ", ".join(head.key for head in heads if head.default == default)
            for name, default in {"taught": True, "if asked": False}.items()}


def _show(lines):
    texts = {name: str(value) for name, value in lines.items() if value is not None}
    print("\n".join(f"{name:14} {text}" for name, text in texts.items() if text))


def _print_scores(card):
    from astromorph.model.model_card import list_scores
    from astromorph.scores import score_rows

    rows = list_scores(card)
    if not rows:
        return
    scores = score_rows(rows)
    scores.add_column([row.get("set", "") for row in rows], name="set", index=0)
    by = card.more.get("tested_by")
    print(f"\nScores on galaxies left out of the training{f' ({by})' if by else ''}:")
    shown = scores[[name for name in ("set", *_SCORES) if name in scores.colnames]]
    print("\n".join(shown.pformat(max_lines=-1, max_width=-1)))
