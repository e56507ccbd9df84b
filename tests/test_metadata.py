"""What the files for readers of metadata say, and that they say the same."""
import json
import re
import tomllib
from pathlib import Path

import pytest

import astromorph

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PLACEHOLDER = "OWNER"


def read(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


@pytest.fixture(scope="module")
def told():
    """File -> what it says of the same things."""
    cff, codemeta, zenodo = read("CITATION.cff"), read("codemeta.json"), read(".zenodo.json")
    related = {each["identifier"] for each in zenodo["related_identifiers"]}
    pages = {PROJECT["urls"]["Repository"], PROJECT["urls"]["Homepage"]}
    return {
        "CITATION.cff": {
            "title": cff["title"], "description": cff["abstract"], "version": cff["version"],
            "authors": [author["name"] for author in cff["authors"]], "license": cff["license"],
            "keywords": cff["keywords"], "pages": {cff["repository-code"], cff["url"]},
            "articles": {each["doi"] for each in cff["references"]}},
        "codemeta.json": {
            "title": codemeta["name"], "description": codemeta["description"],
            "version": codemeta["version"],
            "authors": [author["name"] for author in codemeta["author"]],
            "license": codemeta["license"].removeprefix("https://spdx.org/licenses/"),
            "keywords": codemeta["keywords"], "pages": {codemeta["codeRepository"],
                                                        codemeta["url"]},
            "articles": {each["@id"].removeprefix("https://doi.org/")
                         for each in codemeta["referencePublication"]}},
        ".zenodo.json": {
            "title": zenodo["title"], "description": zenodo["description"],
            "version": zenodo["version"],
            "authors": [author["name"] for author in zenodo["creators"]],
            "license": zenodo["license"], "keywords": zenodo["keywords"], "pages": related & pages,
            "articles": {name for name in related if name.startswith("10.")}}}


@pytest.mark.parametrize("name", ["CITATION.cff", "codemeta.json", ".zenodo.json"])
def test_the_file_agrees_with_the_project(told, name):
    says = told[name]
    assert says["description"] == PROJECT["description"]
    assert says["keywords"] == PROJECT["keywords"]
    assert says["license"] == PROJECT["license"]
    assert says["authors"] == [author["name"] for author in PROJECT["authors"]]
    assert says["pages"] == {PROJECT["urls"]["Repository"], PROJECT["urls"]["Homepage"]}


def test_the_files_agree_with_each_other(told):
    first, *others = told.values()
    assert all(other == first for other in others)
    assert first["title"].startswith("astromorph: ") and len(first["articles"]) == 2


def test_the_version_is_that_of_the_changes(told):
    version, = re.findall(r"\A(\S+) \((?:unreleased|\d{4}-\d\d-\d\d)\)$",
                          (ROOT / "CHANGES.rst").read_text(), re.M)
    assert told["CITATION.cff"]["version"] == version


def test_codemeta_has_the_rest():
    codemeta = read("codemeta.json")
    tried = [one.rpartition(" ")[2] for one in PROJECT["classifiers"]
             if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", one)]
    assert codemeta["identifier"] == PROJECT["name"]
    assert codemeta["issueTracker"] == PROJECT["urls"]["Issues"]
    assert codemeta["softwareHelp"] == PROJECT["urls"]["Documentation"]
    assert codemeta["runtimePlatform"] == f"Python {', '.join(tried)}"
    assert PROJECT["requires-python"] == f">={tried[0]}"


def test_no_release_with_a_placeholder():
    if not re.fullmatch(r"\d+\.\d+\.\d+", astromorph.__version__):
        pytest.skip("not a release")
    assert PLACEHOLDER not in PROJECT["urls"]["Repository"], "fill in [project.urls], RELEASING.rst"


def test_the_placeholder_is_only_where_it_is_marked():
    marked = {"pyproject.toml", "CITATION.cff", "codemeta.json", ".zenodo.json"}
    pages = [*ROOT.glob("*.rst"), *ROOT.glob("docs/*.rst"), *(ROOT / ".github").rglob("*.yml")]
    assert not [page.name for page in pages
                if f"github.com/{PLACEHOLDER}" in page.read_text(encoding="utf-8")]
    assert {name for name in marked if PLACEHOLDER in (ROOT / name).read_text()} in (set(), marked)
