"""The name on the index, the extras, and what happens beside the other project of our name."""
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from astromorph import distribution

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_name_is_that_of_the_project():
    assert distribution.NAME == PROJECT["name"] != "astromorph"


def test_all_has_every_extra_that_the_package_names():
    extras = PROJECT["optional-dependencies"]
    in_all, = extras["all"]
    listed = set(re.fullmatch(r"[\w-]+\[(.+)\]", in_all)[1].split(","))
    code = "\n".join(path.read_text() for path in (ROOT / "astromorph").rglob("*.py")
                     if path.name != "distribution.py")
    named = set(re.findall(r"""missing\([^)]*"(\w+)"\)|install_command\('(\w+)'\)""", code))
    assert {extra for pair in named for extra in pair if extra} == listed <= extras.keys()


def test_extras_that_name_the_distribution_name_it_right():
    named = [requirement for extra in PROJECT["optional-dependencies"].values()
             for requirement in extra if requirement.startswith("astromorph")]
    for requirement in named:
        name, extras = re.fullmatch(r"([\w-]+)\[(.+)\]", requirement).groups()
        assert name == distribution.NAME
        assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()


def test_extras_in_the_documentation_exist():
    pages = [*ROOT.glob("*.rst"), *ROOT.glob("docs/*.rst"), *ROOT.glob("docs/examples/**/*.py"),
             ROOT / "training" / "README.rst"]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    named = set(re.findall(rf"{distribution.NAME}\[(\w+)\]", text))
    assert {"report", "label", "lsdb"} <= named <= PROJECT["optional-dependencies"].keys()
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("astromorph/**/*.py"))
    assert not re.findall(r"\bastromorph\[[a-z]+\]", text + code)


# Beside the other project

@pytest.fixture
def installed(tmp_path):
    """The modules that an import needs, in a folder of their own as if installed there."""
    package = Path(distribution.__file__).parent
    (tmp_path / "astromorph").mkdir()
    for name in ("__init__.py", "distribution.py", "errors.py", "printing.py"):
        shutil.copy(package / name, tmp_path / "astromorph")
    (tmp_path / "astromorph_galaxies-0.1.0.dist-info").mkdir()
    return tmp_path


def imported(folder, module):
    """What is said when a module is imported from a folder; empty if all is well."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import {module}"
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True).stderr


def test_alone_all_is_well(installed):
    (installed / "astromorphlib-1.0.14.dist-info").mkdir()
    (installed / "astromorph.egg-info").mkdir()  # an editable checkout
    (installed / "astromorph-data.dist-info").mkdir()
    (installed / "astromorph-1.0").mkdir()
    assert imported(installed, "astromorph") == imported(installed, "astromorph.errors") == ""


@pytest.mark.parametrize("metadata", ["astromorph-0.1.2.dist-info",
                                      "astromorph-0.1.2-py3.12.egg-info"])
def test_beside_the_other_project_the_import_fails(installed, metadata):
    (installed / metadata).mkdir()
    said = imported(installed, "astromorph")
    assert "ImportError" in said and metadata in said
    assert "pip uninstall astromorph astromorph-galaxies && pip install astromorph-galaxies" in said


def test_the_other_project_over_ours_is_found_too(installed):
    (installed / "astromorph-0.1.2.dist-info").mkdir()
    (installed / "astromorph" / "__init__.py").write_text("")
    assert "pip uninstall" in imported(installed, "astromorph.errors")


def test_a_folder_that_cannot_be_listed_is_no_error(tmp_path):
    distribution._check_alone(tmp_path / "package.zip")
