"""Changes are files of a kind that towncrier knows, and it writes what CHANGES.rst looks like."""
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]


def test_every_change_is_of_a_known_kind():
    kinds = {kind["directory"] for kind in SETTINGS["type"]}
    for path in (ROOT / "changes").iterdir():
        name = path.name.removesuffix(".rst").split(".")
        assert path.name == "README.rst" or (path.suffix == ".rst" and len(name) == 2
                                             and name[1] in kinds), path.name


def test_towncrier_goes_on_in_the_same_format(tmp_path):
    pytest.importorskip("towncrier")
    for name in ("pyproject.toml", "CHANGES.rst"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes" / "+rings.feature.rst").write_text("``classify`` answers ``ring``.\n")
    (tmp_path / "changes" / "12.bugfix.rst").write_text("A repair.\n")
    subprocess.run([sys.executable, "-m", "towncrier", "build", "--version", "0.2.0", "--date",
                    "2027-01-31", "--yes"], cwd=tmp_path, check=True, capture_output=True)
    new, old = (tmp_path / "CHANGES.rst").read_text(), (ROOT / "CHANGES.rst").read_text()
    assert new.endswith(old)
    title, _, *rest = new.removesuffix(old).strip().splitlines()
    assert title == "0.2.0 (2027-01-31)"
    assert rest == ["", "New features", "------------", "", "- ``classify`` answers ``ring``.", "",
                    "", "Bug fixes", "---------", "", "- A repair. (#12)"]
