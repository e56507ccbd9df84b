"""Manners of the command line: advice in its own words, and nobody's control characters."""
import json
import logging
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import processes
import pytest
from astropy.table import Table

from astromorph import MorphologyClassifier, cli
from astromorph.cli.parsing import explain
from astromorph.datasets import load_sample
from astromorph.errors import AstromorphWarning, FetchError, wrong
from astromorph.flags import MorphFlag
from astromorph.services import IMAGE_SERVICES
from astromorph.surveys import SURVEYS

pytestmark = pytest.mark.filterwarnings("always::astromorph.errors.AstromorphWarning")


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """A catalog of two positions, whose images are not kept."""
    monkeypatch.chdir(tmp_path)
    Table({"ra": [10.0, 11.0], "dec": [1.0, 2.0], "petroR90_r": [5.0, 5.0]}).write("cat.csv")
    return ["classify", "cat.csv", "--cache", "no", "--retries", "0"]


class Redirected:
    """What stderr is at the moment."""

    def write(self, text):
        sys.stderr.write(text)


def serve(monkeypatch, error):
    """Have the services of SDSS raise an error, and a logger show warnings that is not Astropy's.

    Once astroquery is loaded it is its own.
    """
    another = logging.getLogger("another")
    another.handlers = [logging.StreamHandler(Redirected())]
    monkeypatch.setattr("warnings.showwarning", lambda message, *rest: another.warning(message))

    def fail(request, transport):
        raise error

    for name in SURVEYS["sdss"].services:
        monkeypatch.setitem(IMAGE_SERVICES, name, replace(IMAGE_SERVICES[name], fetch=fail))


@pytest.mark.parametrize("advice, told", [
    ("images= takes files of this machine, offline=True only the cache",
     "--images takes files of this machine, --offline only the cache"),
    ("Pass overwrite=True to replace it.", "Pass --overwrite to replace it."),
    ("or r90= (an angle), or width=, or r90=\"measure\"",
     "or --r90 (an angle), or --width, or --r90 measure"),
    ("a column of images (images=).", "a column of images (--images)."),
    ("r90=8.0 * u.arcsec", "--r90 8.0arcsec"), ("Try cutout_r90=4.24.", "Try --cutout-r90 4.24."),
    ("make_labels(questions=...)", "make_labels(questions=...)"),
    ("Set the unit of a column with table['size'].unit = 'arcsec'.",
     "Set the unit of a column with size:arcsec."),
    ("an angle, as 5 * u.arcsec", "an angle, as 5arcsec"),
    ("align=False leaves it", "--no-align leaves it")])
def test_advice_names_options(advice, told):
    command = "adapt" if "align" in advice else "classify"
    args = cli.build_parser().parse_args([command, "a.jpg", "-o", "o.fits"])
    assert args.parser.spell(advice) == told
    error = explain(args, wrong("cutout_r90, data", "another", "one", advice))
    assert error == f"--cutout-r90, data: expected another. Received one. {told}"


@pytest.mark.parametrize("typed, meant", [
    ("--ofline", "--offline"), ("--cutout_r90", "--cutout-r90"), ("--surveys=des", "--survey"),
    ("--xyzzy", None)])
def test_misspelt_options(capsys, typed, meant):
    with pytest.raises(SystemExit) as refusal:
        cli.main(["classify", "a.jpg", typed])
    line = capsys.readouterr().err
    assert refusal.value.code == 2 and line.count("\n") == 1
    assert line.startswith("astromorph classify: error: unrecognized arguments: " + typed)
    assert f"did you mean {meant}?" in line if meant else "did you mean" not in line


def test_without_a_network_one_line_says_so(catalog, monkeypatch, capsys):
    serve(monkeypatch, FetchError("no connection", MorphFlag.SERVER_ERROR, unreachable=True))
    assert cli.main(catalog) == 1
    line = next(line for line in capsys.readouterr().err.splitlines() if "no connection" in line)
    assert ("for example row 0: no image service could be reached: check the network, and run it "
            "again") in line and "--offline only the cache" in line
    assert line.count("no connection") == 1 and len(line) < 450


def test_offline_is_advised_only_where_nobody_answers(catalog, monkeypatch, capsys):
    serve(monkeypatch, FetchError("busy", MorphFlag.SERVER_ERROR))
    assert cli.main(catalog) == 1
    assert "offline" not in capsys.readouterr().err


def test_services_cannot_control_the_terminal(catalog, monkeypatch, capsys):
    serve(monkeypatch, FetchError("no \x1b]0;title\x07\x1b[31m image", MorphFlag.SERVER_ERROR))
    for more in (["--json"], ["-o", "o.csv"], ["-v", "--provenance"]):
        assert cli.main([*catalog, *more]) == 1
        captured = capsys.readouterr()
        assert not {"\x1b", "\x07"} & set(captured.out + captured.err)
        assert "\\x1b[31m" in captured.err


@pytest.mark.parametrize("command", [
    ["info", "mine.safetensors"], ["info", "mine.safetensors", "--json"],
    ["classify", "no\x1b[31m.jpg", "-v"], ["cache", "info", "--folder", "a\x1b[31m"]])
def test_files_of_others_cannot_control_the_terminal(tmp_path, monkeypatch, capsys, command,
                                                     classifier):
    monkeypatch.chdir(tmp_path)
    model = classifier.model
    MorphologyClassifier(model.replace(more=model.card.more | {"license": "free\x1b[31m"})).write(
        "mine.safetensors")
    cli.main(command)
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert "\\x1b[31m" in captured.out + captured.err


def test_quiet_is_quiet_whoever_shows_warnings(catalog, monkeypatch, capsys):
    serve(monkeypatch, FetchError("busy", MorphFlag.SERVER_ERROR))
    assert cli.main([*catalog, "-o", "o.csv", "--quiet"]) == 1
    assert capsys.readouterr().err == ""
    assert cli.main([*catalog, "-o", "o.csv"]) == 1 and "busy" in capsys.readouterr().err
    assert logging.root.manager.disable == logging.NOTSET


def test_where_warnings_are_errors_the_output_is_written(catalog, monkeypatch, capsys):
    serve(monkeypatch, FetchError("busy", MorphFlag.SERVER_ERROR))
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstromorphWarning)
        assert cli.main([*catalog, "-o", "o.csv", "--json"]) == 1
    summary = json.loads(capsys.readouterr().out)
    assert summary["rows"] == 2 and "2 of 2 galaxies could not" in summary["error"]
    assert len(Table.read("o.csv")) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("redirect", ["2> /dev/full", "2>&-"])
def test_where_nothing_can_be_said_the_output_is_written(tmp_path, redirect):
    (tmp_path / "bad.jpg").touch()
    code = tmp_path / "code.py"
    code.write_text(f"{processes.NO_TENSORFLOW}\nfrom astromorph.cli import main\n"
                    "sys.exit(main(sys.argv[1:]))")
    words = f"classify bad.jpg {load_sample()['file'][0]} -o o.csv --json {redirect}"
    run = subprocess.run(f"{sys.executable} {code} {words}", shell=True, cwd=tmp_path,
                         capture_output=True, text=True)
    assert run.returncode == 0 and json.loads(run.stdout)["classified"] == 1
    assert len(Table.read(tmp_path / "o.csv")) == 2
