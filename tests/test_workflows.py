"""The files that services read: they parse, and what they name is there."""
import configparser
import re
import tomllib
from itertools import product
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini", encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def expanded(pattern):
    """Names that a pattern of tox stands for: ``a{b,c}`` is ``ab`` and ``ac``."""
    parts = re.split(r"\{(.*?)\}", pattern)
    return {"".join(each) for each in product(*(
        part.split(",") if k % 2 else [part] for k, part in enumerate(parts)))}


ENVIRONMENTS = set().union(*map(expanded, TOX["tox"]["env_list"].split()))


def jobs(workflow):
    return yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]


def environments(workflow):
    """The entries of each job that runs tox, and what holds for all of them."""
    return [(entry, job["with"]) for job in jobs(workflow).values()
            if "/tox.yml@" in job.get("uses", "")
            for entry in yaml.safe_load(job["with"]["envs"])]


def test_patterns_of_tox():
    assert expanded("py{311,312}-test{,-x}") == {"py311-test", "py312-test", "py311-test-x",
                                                 "py312-test-x"}
    assert {"py312-test-sdss", "py313-wheel", "build_docs"} <= ENVIRONMENTS


@pytest.mark.parametrize("path", [*WORKFLOWS, *ROOT.glob(".*.y*ml"), *ROOT.glob(".github/*.yml")],
                         ids=lambda path: path.name)
def test_it_parses(path):
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_environment_exists(workflow):
    named = {entry[system] for entry, _ in environments(workflow)
             for system in ("linux", "macos", "windows") if system in entry}
    assert named <= ENVIRONMENTS
    assert len(named) or workflow.stem == "publish"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_texts_survive_the_shell_of_the_reusable_workflow(workflow):
    for job in jobs(workflow).values():
        assert not [text for text in job["with"].values() if '"' in str(text)]


def test_each_survey_is_tested_alone():
    for name in ("ci", "weekly"):
        run = {entry.get("linux", "") for entry, _ in environments(
            ROOT / ".github" / "workflows" / f"{name}.yml")}
        assert {survey for survey in ("sdss", "des", "legacy")
                if any(each.endswith(f"-{survey}") for each in run)} == {"sdss", "des", "legacy"}


def test_the_week_has_the_newest_dependencies_and_the_services():
    week = ROOT / ".github" / "workflows" / "weekly.yml"
    assert yaml.safe_load(week.read_text())[True]["schedule"]  # YAML reads "on" as true
    assert any("devdeps" in entry["linux"] for entry, _ in environments(week))
    assert any("--remote-data" in options.get("posargs", "") for _, options in environments(week))


def test_oldest_and_newest_python_are_tested():
    tried = [one.rpartition(".")[2] for one in PROJECT["classifiers"]
             if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", one)]
    run = {entry.get("linux") for entry, _ in environments(
        ROOT / ".github" / "workflows" / "ci.yml")}
    assert {f"py3{tried[0]}-test", f"py3{tried[-1]}-test"} <= run


def test_every_survey_and_python_has_its_environment_in_tox():
    for entry in (f"py3{minor}-test-{survey}" for minor in (11, 12, 13)
                  for survey in ("sdss", "des", "legacy")):
        assert entry in ENVIRONMENTS
