"""The page beside a weights file: what it holds, and whose pages it leaves alone."""
import ast
import hashlib
import re

import numpy as np
import pytest

from astromorph import AstromorphWarning, MorphologyClassifier, Question, cli
from astromorph.model import TrainedModel
from astromorph.model.card import Card
from astromorph.model.files import bundled
from astromorph.model.heads import Head
from astromorph.model.model_card import model_card

FILES = {path.stem: path for path in bundled().values()}


def page_of(card):
    return model_card(card, "x.safetensors", "0" * 64)


def metadata(page):
    """The lines of the header, which YAML readers take."""
    begin, header, _ = page.split("---\n", 2)
    assert begin == ""
    return header.splitlines()


def rows(page, title):
    part = page.partition(f"## {title}\n")[2].partition("\n## ")[0] if title else page
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in part.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", FILES)
def test_bundled_weights(name):
    card = TrainedModel.read(FILES[name]).card
    page = page_of(card)
    assert metadata(page)[:3] == ["license: bsd-3-clause", "library_name: astromorph",
                                  "pipeline_tag: image-classification"]
    assert all(f"`{column}`" in page for question in card.all_questions
               for column in question.columns)
    assert f"network `{card.network}`" in page and card.survey.title in page
    header, line, *scores = rows(page, "Scores")
    assert header[:4] == ["set", "question", "galaxies", "positive"]
    assert len(scores) >= len(card.test) > 0
    assert all(len(row) == len(header) for row in scores)
    taught = {"gz2", "decals"} & set(card.training["sets"])
    assert taught and all(each in page.partition("## What it was trained on")[2] for each in taught)


def test_scores_have_intervals():
    card = TrainedModel.read(FILES["sdss-ds18"]).card
    first = rows(page_of(card), "Scores")[2]
    assert first[:4] == ["gz2", "`disk`", "552", "251"]
    found = [float(number) for number in re.findall(r"[\d.]+", first[4])]
    assert found[0] == pytest.approx(0.944, abs=1e-3) and found[1] < found[0] < found[2]
    assert found[2] - found[1] == pytest.approx(2 * (0.9442 * 0.0558 / 251)**0.5, rel=0.05)


def test_weights_of_ones_own(classifier, tmp_path, capsys):
    """Adapted and not tested elsewhere; a question in foreign letters and signs."""
    model, n = classifier.model, len(classifier.model.heads[0].kernel)
    question = Question("ring", positive="ring | <b>anneau</b>\nœil")
    head = Head(question, np.zeros((n, 1)), np.zeros(1), training={
        "tested_by": "5-fold cross-validation", "scores": [
            {"question": "ring", "n": 90, "n_positive": 30, "AUC": 0.9, "AUC_low": 0.88,
             "AUC_high": 0.92, "TPR": float("nan")}]})
    report = {"table": {"meta": {"tested_by": "3-fold cross-validation"}, "columns": {
        "question": ["disk", "bar"], "n": [80, 70], "n_positive": [40, 7], "trained": [True, False],
        "threshold": [0.4, 0.5], **{f"{score}_{end}": 2 * [float("nan")] for score in (
            "TPR", "precision", "accuracy") for end in ("before", "after", "after_low",
                                                        "after_high")},
        "AUC_before": [0.8, 0.7], "AUC_after": [0.95, 0.7], "AUC_after_low": [0.93, 0.6],
        "AUC_after_high": [0.97, 0.8]}}}
    own = MorphologyClassifier(model.replace(
        test=[], heads=(head,), more={}, adapted={"galaxies": 80, "train": "all", "from": "a" * 64,
                                                  "labels": {}, "report": report}))
    own.write(tmp_path / "mine.safetensors")
    page = (tmp_path / "mine.md").read_text(encoding="utf-8")
    assert metadata(page)[0] == "library_name: astromorph"
    assert rows(page, "Scores")[2:] == [
        [f"the labeled galaxies, {folds}-fold cross-validation", *each, ""] for folds, each in (
            (3, ["`disk`", "80", "40", "", "", "", "0.950 (0.930-0.970)"]),
            (5, ["`ring`", "90", "30", "", "", "", "0.900 (0.880-0.920)"]))]
    assert "ring \\| &lt;b>anneau&lt;/b> œil" in page and "3-fold cross-validation" in page
    assert "on 80 labeled galaxies (layers: all), from the weights aaaaaaaaaaaaaaaa." in page
    checksum = hashlib.sha256((tmp_path / "mine.safetensors").read_bytes()).hexdigest()
    assert f'sha256="{checksum}"' in page
    assert cli.main(["info", str(tmp_path / "mine.safetensors")]) == 0
    shown = capsys.readouterr().out.partition("Scores on galaxies left out of the training:\n")[2]
    assert [line.split()[-8:] for line in shown.splitlines()[2:]] == [
        ["cross-validation", "disk", "80", "40", "nan", "nan", "nan", "0.950"],
        ["cross-validation", "ring", "90", "30", "nan", "--", "--", "0.900"]]
    # What the page says is true: the file there loads by this checksum's address and by its name.
    read = MorphologyClassifier.read(tmp_path / "mine.safetensors")
    assert read.model.identity == own.model.identity


def test_weights_that_were_never_tested(classifier):
    card = classifier.model.card.to_json() | {"test": [], "heads": []}
    for name in ("training", "base_rates", "license", "citations", "tested_by"):
        card.pop(name, None)
    page = page_of(Card.from_json(card))
    assert "None: these weights were not tested" in page and "The file does not say." in page


def test_whose_page_is_replaced(classifier, tmp_path):
    path, page = tmp_path / "w.safetensors", tmp_path / "w.md"
    classifier.write(path, model_card=False)
    assert not page.exists()
    page.write_text("my notes")
    with pytest.warns(AstromorphWarning, match="w.md is left as it is.*model_card=False"):
        classifier.write(path, overwrite=True)
    assert page.read_text() == "my notes" and path.exists()
    page.unlink()
    classifier.write(path, overwrite=True)
    ours = page.read_text()
    page.write_text(ours.replace("Weights of", "Old weights of"))
    classifier.write(path, overwrite=True)  # ours, as the mark is there
    assert page.read_text() == ours
    with pytest.raises(FileExistsError):
        classifier.write(path)


@pytest.mark.parametrize("other", ["folder", "link", "file"])
def test_what_is_not_ours_stays(classifier, tmp_path, other):
    page = tmp_path / "x.md"
    if other == "folder":
        page.mkdir()
    elif other == "link":
        page.symlink_to(tmp_path / "nothing.md")
    else:
        page.write_bytes(b"\xff")
    with pytest.warns(AstromorphWarning, match="x.md is left as it is"):
        classifier.write(tmp_path / "x.safetensors")
    assert MorphologyClassifier.read(tmp_path / "x.safetensors")
    assert page.is_symlink() == (other == "link") and not (tmp_path / "nothing.md").exists()


def test_a_page_that_fails_leaves_the_weights(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr("astromorph.model.model_card.model_card", lambda *_: 1 / 0)
    with pytest.warns(AstromorphWarning, match="weights are written, but .*x.md is not"):
        classifier.write(tmp_path / "x.safetensors")
    assert MorphologyClassifier.read(tmp_path / "x.safetensors")
    assert not (tmp_path / "x.md").exists()


def test_texts_make_no_links_and_names_no_code(classifier):
    card = classifier.model.replace(more={"citations": ["![x](http://host/x.png) *a* [b](c)"]}).card
    name = 'a"); exit(); ("b\nc.safetensors'
    page = model_card(card, name, "0" * 64)
    assert r"- !\[x](http://host/x.png) \*a\* \[b](c)" in page
    code = page.partition("```python\n")[2].partition("\n```\n")[0]
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    assert len(calls) == 4 and calls[0].args[0].value == name
