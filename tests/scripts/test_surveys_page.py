"""The page of the surveys says what the records say."""
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_page_is_that_of_the_records():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        from surveys import surveys_page
    written = (ROOT / "docs" / "tables" / "surveys_table.rst").read_text()
    assert written == surveys_page(), "run python benchmarks/surveys.py docs"
