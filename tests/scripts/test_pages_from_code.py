"""Pages whose tables come from the code, or from the bundled weights, are as these are."""
from pathlib import Path

import numpy as np
import pytest

from astromorph.datasets import load_sample
from astromorph.tables import PROVENANCE

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS.parent / "benchmarks"))
        import data_model
        import limits
        import weights

        yield {"data_model": data_model.tables, "weights": weights.card_tables,
               "limits": lambda: limits.tables(DOCS), "choose": weights.choose}


@pytest.mark.parametrize("script", ["data_model", "weights", "limits"])
def test_tables_are_those_of_the_code(scripts, script):
    for name, lines in scripts[script]().items():
        written = (DOCS / "tables" / f"{name}.rst").read_text()
        assert written == "\n".join(lines), f"run python benchmarks/{script}.py docs"


def test_the_page_has_every_key(classifier):
    table = classifier.classify(load_sample()[:1], images="file", r90="petroR90")
    assert {key for key in table.meta if key not in load_sample().meta} <= PROVENANCE.keys()


def test_the_sentence_to_cite_is_true(classifier):
    page = " ".join((DOCS / "which_weights.rst").read_text().split())
    assert f"SHA-256 {classifier.card['sha256'][:16]}" in page
    assert "P_bar of 0.80 or more. There, the purity on test galaxies is .95 and the " \
        "completeness .68." in page
    table = (DOCS / "tables" / "thresholds_pinwheel_table.rst").read_text()
    row = table.split("- ``bar``\n     - purity .95\n")[1].split("   *")[0]
    assert [line.split()[1] for line in row.splitlines()] == [".80", ".95", ".68"]


def test_thresholds_reach_what_is_wanted(scripts):
    raw = np.array([.1, .2, .4, .45, .6, .8, .9])
    labels = np.array([0, 0, 1, 0, 1, 1, 1])
    assert scripts["choose"](labels, raw, "purity", .9) == .5
    assert scripts["choose"](labels, raw, "completeness", .95) == .4
    assert scripts["choose"](1 - labels, raw, "purity", .9) is None
