"""A model card: the page in Markdown beside a weights file that tells people what it holds."""
import hashlib
import json
import math
import os
import re
from pathlib import Path
from urllib.parse import quote

from astropy.stats import binom_conf_interval

from astromorph.atomic import read_plain_file, write_file
from astromorph.errors import warn
from astromorph.printing import printable

__all__ = ["list_scores", "model_card", "write_model_card"]

_MARK = "<!-- astromorph writes this page anew with the weights, as long as this line is here. -->"
_TAGS = ("astronomy", "galaxies", "galaxy-morphology")
_SCORES = ("TPR", "precision", "accuracy", "AUC", "ECE")
_LEVEL = 0.68
_LARGEST = 2**24  # bytes of a page
_LIMITS = """\
- The probabilities hold for images like those that taught the weights: {survey}, framed to
  {frame_r90:g} Petrosian R90 of the galaxy. On other images, check `morph_flag` (`UNUSUAL`), and
  adapt or calibrate the weights first.
- A question that depends on another one is answered for every galaxy, but its probability means
  something only where the question applies: see the table of answers.
- Where the fraction of positives differs much from the base rates above, the probabilities are
  too high or too low; the order of the galaxies stays right.
- Where the seeing smears details out, the answers about details, such as bars, fail first."""


def write_model_card(path, card):
    """Write the model card beside a weights file; a page that people wrote is left as it is.

    Parameters
    ----------
    path : path
        The weights file, which is there.
    card : `~astromorph.model.card.Card`

    Warns
    -----
    AstromorphWarning
        If the page is not written, and why.
    """
    page = Path(path).with_suffix(".md")
    try:
        if os.path.lexists(page) and _MARK.encode() not in read_plain_file(page, _LARGEST):
            warn(f"{page} is left as it is: astromorph did not write it. The model card of the "
                 "weights is not written; pass model_card=False, or rename that file.")
            return
        checksum = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        text = model_card(card, Path(path).name, checksum)
        write_file(page, text.encode(errors="backslashreplace"))
    except Exception as error:  # the weights are written, and their card may hold anything
        warn(f"The weights are written, but {page} is not: {type(error).__name__}: {error}")


def model_card(card, name, sha256):
    """Tell in Markdown what weights are, with the metadata that the Hugging Face Hub reads.

    Parameters
    ----------
    card : `~astromorph.model.card.Card`
    name : str
        Name of the weights file.
    sha256 : str
        Checksum of the file.

    Returns
    -------
    str
    """
    survey = _text(f"{card.survey.title} {card.survey.release}")
    return "\n".join([
        *_metadata(card), _MARK, "",
        f"# Galaxy morphology on images of {survey}", "",
        f"Weights of the network `{_text(card.network)}` for the Python package astromorph. Give "
        "it a catalog or cutouts of galaxies; it returns the table with these columns.", "",
        *_answers(card), "", "## How to load it", "",
        *_loading(name, sha256), "", "## What it was trained on", "", *_training(card), "",
        "## Scores", "", *_scores(card), "", "## Limits", "",
        _LIMITS.format(survey=survey, frame_r90=card.frame_r90), "",
        "## Please cite", "", *_citations(card), ""])


def _metadata(card):
    license = str(card.more.get("license", "")).lower()
    known = re.fullmatch(r"[a-z0-9][a-z0-9.-]*", license)
    return ["---", *([f"license: {license}"] if known else []), "library_name: astromorph",
            "pipeline_tag: image-classification", "tags:", *(f"- {tag}" for tag in _TAGS), "---"]


def _answers(card):
    rows = []
    for question in card.all_questions:
        rate = card.base_rates.get(question.key)
        rows += [(f"`{column.name}`", column.description, _condition(question),
                  "" if rate is None else f"{rate:.2f}") for column in question.answer_columns]
    return _table(("column", "what it is", "of which galaxies", "base rate"), rows)


def _condition(question):
    if question.parent is None:
        return "all"
    return f"`{question.parent}` is {'true' if question.asked_if else 'false'}"


def _loading(name, sha256):
    on_hub = f"hf://USER/NAME/{name}@COMMIT"
    return ["```python", "from astromorph import MorphologyClassifier", "",
            "# a file of yours, one of a repository on the Hub, one at any address",
            f"clf = MorphologyClassifier.read({_quoted(name)})",
            f"clf = MorphologyClassifier.from_pretrained({_quoted(on_hub)})",
            f"clf = MorphologyClassifier.from_pretrained({_quoted(f'https://HOST/{quote(name)}')},",
            f'    sha256="{sha256}")', "",
            'table = clf.classify("cutouts/*.jpg")', "```"]


def _quoted(text):
    """Text as Python has it in code."""
    return json.dumps(text, ensure_ascii=False)


def _training(card):
    known, lines = card.training or {}, []
    if known.get("sets"):
        lines.append(f"- Sets of labeled galaxies: {', '.join(map(str, known['sets']))}.")
    if known.get("recipe"):
        lines.append(f"- Recipe: {known['recipe']}.")
    if card.adapted:
        lines += [f"- Adapted to {card.survey.title} on {card.adapted.get('galaxies', 'some')} "
                  f"labeled galaxies (layers: {card.adapted.get('train')}), from the weights "
                  f"{card.adapted.get('from', '')[:16]}."]
    labels = (card.adapted or known).get("labels") or {}
    lines += [f"- Labels of `{key}`: {each.get('train', each.get('n'))}, of which "
              f"{each.get('positive')} positive." for key, each in labels.items()]
    lines += [f"- `{head.key}` was taught afterwards, on what the network sees." for head
              in card.heads]
    if card.calibrated:
        lines.append(f"- Calibrated afterwards: {card.calibrated.get('method')}.")
    return [_text(line) for line in lines] or ["The file does not say."]


def _scores(card):
    rows = list_scores(card)
    if not rows:
        return ["None: these weights were not tested. Score them on labeled galaxies of yours "
                "(`clf.evaluate`) before you use them."]
    cells = [[row.get("set", ""), f"`{row['question']}`", f"{row['n']}",
              f"{row.get('n_positive', '')}", *(_with_interval(row, score) for score in _SCORES)]
             for row in rows]
    by = card.more.get("tested_by")
    return [_text(f"On galaxies that were not trained on{f' ({by})' if by else ''}, at a threshold "
                  f"of 0.5. Brackets hold {_LEVEL:.0%} intervals."), "",
            *_table(("set", "question", "galaxies", "positive", *_SCORES), cells)]


def list_scores(card):
    """List the scores of weights on galaxies that they were not trained on.

    Parameters
    ----------
    card : `~astromorph.model.card.Card`

    Returns
    -------
    list of dict
        The question, the number of galaxies, the scores with intervals, and in ``set`` which
        galaxies they are.
    """
    rows = [row | _interval("TPR", row, row.get("n_positive"))
            | _interval("accuracy", row, row["n"]) for row in card.test] or _adapted(card)
    for head in card.heads:
        rows += _of_labeled(head.training.get("scores", ()), head.training)
    return rows


def _interval(score, row, n):
    if f"{score}_low" in row or not n or not math.isfinite(row.get(score, math.nan)):
        return {}
    low, high = binom_conf_interval(round(row[score] * n), n, _LEVEL, interval="wilson")
    return {f"{score}_low": float(low), f"{score}_high": float(high)}


def _adapted(card):
    """Scores after adapting, of the questions that were trained."""
    table = ((card.adapted or {}).get("report") or {}).get("table")
    if table is None:
        return []
    columns = {name.replace("_after", ""): values for name, values
               in table["columns"].items() if "_before" not in name}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    return _of_labeled([row for row in rows if row["trained"]], table["meta"])


def _of_labeled(rows, made):
    """Rows that say which galaxies they are: those whose labels were given, and how left out."""
    how = made.get("tested_by")
    return [{"set": "the labeled galaxies" + (f", {how}" if how else "")} | row for row in rows]


def _with_interval(row, score):
    if not math.isfinite(row.get(score, math.nan)):
        return ""
    limits = [row.get(f"{score}{end}") for end in ("_low", "_high")]
    return f"{row[score]:.3f}" + ("" if None in limits else " ({:.3f}-{:.3f})".format(*limits))


def _citations(card):
    return [f"- {_text(each)}" for each in card.more.get("citations", ())] or [
        "- the package, astromorph"]


def _table(names, rows):
    cells = [names, ["---"] * len(names), *rows]
    return ["| " + " | ".join(map(_text, row)) + " |" for row in cells]


def _text(text):
    """One line of text that Markdown shows as it is: cards come from anywhere."""
    line = " ".join(printable(str(text)).split())
    return re.sub(r"([|\[*])", r"\\\1", line).replace("<", "&lt;")
