"""The front door: what it offers and does not load; floors of the house."""
import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import astromorph

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "sklearn", "matplotlib", "astropy")


def settings():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _loaded_by(code):
    """Names of the heavy packages that a fresh interpreter has loaded after some code."""
    report = f"{code}\nimport sys\nprint(*sorted({set(HEAVY)} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()[-1].split()


def test_import_is_light():
    assert _loaded_by("import astromorph") == []


def test_flags_and_surveys_need_no_network_library():
    loaded = _loaded_by("from astromorph import get_survey, MorphFlag, read_cutout, score")
    assert "tensorflow" not in loaded
    assert "keras" not in loaded


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["classify", "--help"]])
def test_command_line_help_is_light(arguments):
    code = ("from astromorph.cli import main\n"
            f"try:\n    main({arguments})\nexcept SystemExit as done:\n    assert done.code == 0")
    assert _loaded_by(code) == []


@pytest.mark.parametrize("name", astromorph.__all__)
def test_every_name_is_there(name):
    value = getattr(astromorph, name)
    homes = [home for module, home in list(sys.modules.items())
             if module.startswith("astromorph.") and name in getattr(home, "__all__", ())]
    assert homes and all(getattr(home, name) is value for home in homes)
    assert name in dir(astromorph)


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'classifyy'"):
        astromorph.classifyy


@pytest.mark.parametrize("name", [pytest.param(name, marks=getattr(pytest.mark, name))
                                  for name in ("sdss", "des", "legacy")])
def test_every_survey_has_a_marker(name):
    # An unknown marker is an error (--strict-markers): a survey without one fails to collect.
    survey = astromorph.get_survey(name)
    assert survey.name == name
    assert set(survey.rgb) <= set(survey.bands)


def test_every_record_in_a_file_is_bundled():
    files = {path.stem for path in (ROOT / "astromorph" / "records").glob("*.toml")}
    assert files and set(astromorph.SURVEYS) == {"sdss", "des", "legacy", *files}


def test_every_file_that_is_not_code_is_in_the_wheel():
    patterns = settings()["tool"]["hatch"]["build"]["targets"]["wheel"]["include"]
    packaged = {path for pattern in patterns for path in ROOT.glob(pattern.removeprefix("/"))}
    there = {path for path in (ROOT / "astromorph").rglob("*")
             if path.is_file() and path.suffix != ".pyc"}
    assert there == packaged


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in (ROOT / "astromorph").rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_version():
    assert astromorph.__version__.split(".")[0].isdigit()


FLOORS = (  # from the ground; a room imports from its own floor and from those below
    "distribution flags errors arguments atomic names printing progress answers questions "
    "question_files survey_files survey_rules surveys fits_layout",
    "images tables metrics curves scores",
    "networks services plots", "model", "running learning", "cutouts", "galaxies partitions",
    "classifier labeling report datasets interop", "cli")


def test_imports_go_down_and_take_no_private_names():
    level = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
    wrong = []
    for path in sorted((ROOT / "astromorph").rglob("*.py")):
        room = path.relative_to(ROOT / "astromorph").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("astromorph"):
                names = [each.name for each in node.names]
                to = node.module.split(".")[1:2] or names
                wrong += [f"{path}:{node.lineno} imports {name}" for name in to
                          if level.get(name, 0) > level.get(room, 99)]
                wrong += [f"{path}:{node.lineno} imports {name}" for name in names
                          if name.startswith("_") and not name.startswith("__")]
    rooms = {path.relative_to(ROOT / "astromorph").parts[0].removesuffix(".py")
             for path in (ROOT / "astromorph").rglob("*.py")}
    assert {room for room in rooms if not room.startswith("_")} == set(level)
    assert not wrong, "\n".join(wrong)
