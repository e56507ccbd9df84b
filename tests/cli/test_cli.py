"""The command line: what it writes, says and refuses."""
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir
from dataclasses import replace
from glob import glob
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from astropy import log
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from PIL import Image

from astromorph import MorphologyClassifier, __version__, cli, report
from astromorph.cutouts.cache import CutoutCache, cache_key
from astromorph.cutouts.sources import image_source
from astromorph.datasets import load_sample
from astromorph.flags import MorphFlag
from astromorph.images import read_cutout
from astromorph.labeling.opening import open_conversation
from astromorph.questions import QUESTIONS
from astromorph.services import IMAGE_SERVICES, CutoutRequest, ImageService
from astromorph.galaxies.sky import SkyPositions
from astromorph.surveys import SURVEYS
from astromorph.tables import FORMATS, read_table, write_table


class _StubClassifier:
    """Stands in for the networks: a file named "bad..." cannot be read."""

    def __init__(self):
        self.options = None

    def classify(self, data, *, images=None, **options):
        self.options = options
        table = Table(data) if images else Table({"file": data})
        bad = np.array([name.startswith("bad") for name in table[images or "file"]])
        for question in QUESTIONS:
            table[question.column] = MaskedColumn(np.full(len(table), 0.25), mask=bad)
        table["morph_flag"] = np.where(bad, int(MorphFlag.UNREADABLE), 0)
        return table


@pytest.fixture
def stub(monkeypatch):
    classifier = _StubClassifier()
    monkeypatch.setattr("astromorph.cli.classify.load_classifier", lambda args: classifier)
    return classifier


@pytest.fixture(autouse=True)
def cutouts(tmp_path_factory, monkeypatch):
    """A working folder with some files, so that they are there."""
    folder = tmp_path_factory.mktemp("cutouts")
    for name in ("a.jpg", "b.jpg", "bad.jpg"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    return folder


def _refused(capsys, arguments):
    """Exit status and the one line that a refused command line says."""
    with pytest.raises(SystemExit) as refusal:
        cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return refusal.value.code, captured.err


def test_version(capsys):
    with pytest.raises(SystemExit) as done:
        cli.main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"astromorph {__version__}\n"


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "required: command"),
    (["frobnicate"], "invalid choice: 'frobnicate'"),
    (["classify"], "required: FILE"),
    (["classify", "a.jpg", "--survey", "hubble"], "'sdss'"),
    (["classify", "a.fits", "b.fits", "--images", "file"], "one table, not 2 files"),
    (["classify", "a.jpg", "-o", "no/such/folder/a.fits"], "there is no folder no/such/folder"),
    (["classify", "a.jpg", "-o", "a.tableau"], "which has no such ending"),
])
def test_bad_arguments(capsys, arguments, message):
    status, line = _refused(capsys, arguments)
    assert status == 2
    assert message in line


def test_existing_output_is_kept(capsys, tmp_path, stub):
    output = tmp_path / "out.fits"
    output.write_text("precious")
    status, line = _refused(capsys, ["classify", "a.jpg", "-o", output])
    assert status == 2
    assert "--overwrite" in line
    assert output.read_text() == "precious"


@pytest.mark.parametrize("suffix", ["fits", "ecsv", "vot"])
def test_classify_writes_a_table(capsys, tmp_path, stub, suffix):
    output = tmp_path / f"out.{suffix}"
    output.write_text("old")
    assert cli.main(["classify", "a.jpg", "bad.jpg", "-o", str(output), "--overwrite",
                     "--cutout-r90", "8.48", "--survey", "DES"]) == 0
    table = Table.read(output)
    assert list(table["P_bar"].mask) == [False, True]
    assert table["P_bar"][0] == 0.25
    assert stub.options["cutout_r90"] == 8.48
    assert stub.options["survey"] == "des"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Classified 1 of 2 galaxies (UNREADABLE 1).\n"
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


def test_classify_prints_every_row(capsys, stub):
    files = ["a.jpg", *(f"{index:03d}.jpg" for index in range(200))]
    assert cli.main(["classify", *files, "--r90", "measure"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert stub.options["r90"] == "measure"
    assert [line.split()[0] for line in lines[2:]] == files
    assert lines[0].split() == ["file", *(question.column for question in QUESTIONS), "morph_flag"]


def test_classify_a_table(tmp_path, stub):
    source, output = tmp_path / "in.ecsv", tmp_path / "out.fits"
    Table({"name": ["x", "y"], "path": ["a.jpg", "b.jpg"]}).write(source)
    assert cli.main(["classify", str(source), "--images", "path", "-o", str(output)]) == 0
    table = Table.read(output)
    assert list(table["name"]) == ["x", "y"]
    assert not np.any(np.ma.getmaskarray(table["P_disk"]))


def test_nothing_classified_fails(capsys, stub):
    assert cli.main(["classify", "bad.jpg"]) == 1
    assert "Classified 0 of 1" in capsys.readouterr().err


def test_a_run_that_classified_nothing_can_be_repeated(capsys, tmp_path, stub):
    for name in ("out.fits", "out.csv", "out.vot"):
        output = tmp_path / name
        for number in range(2):
            assert cli.main(["classify", "bad.jpg", "-o", str(output)]) == 1
            captured = capsys.readouterr().err
            assert "Classified 0 of 1 galaxies (UNREADABLE 1)." in captured
            assert ("it will be replaced" in captured) == (number == 1)
        assert cli.main(["classify", "bad.jpg", "a.jpg", "-o", str(output)]) == 0
        before = output.read_bytes()
        capsys.readouterr()
        assert "--overwrite" in _refused(capsys, ["classify", "bad.jpg", "-o", output])[1]
        assert output.read_bytes() == before


def test_what_classified_nothing_leaves_nothing_in_the_way(capsys, tmp_path, loaded):
    """A report that may be replaced, no suggestions, no scores."""
    Table({"file": ["bad.jpg"], "disk": [1.0]}).write(tmp_path / "t.csv")
    given = [str(tmp_path / "t.csv"), "--images", "file", "--json"]
    for command, told in (("suggest", "Suggested 0 of 1"), ("evaluate", "nothing to score")):
        output = tmp_path / f"{command}.csv"
        assert cli.main([command, *given, "-o", str(output)]) == 1
        assert told in capsys.readouterr().err and not output.exists()
    page = tmp_path / "report.html"
    for number in range(2):
        assert cli.main(["classify", *given, "--report", str(page)]) == 1 and page.exists()
        assert ("it will be replaced" in capsys.readouterr().err) == (number == 1)
    files = [str(load_sample()["file"][0]), "--report", str(page)]
    assert cli.main(["classify", *files]) == 0
    before = page.read_bytes()
    capsys.readouterr()
    assert "--overwrite" in _refused(capsys, ["classify", "bad.jpg", "--report", page])[1]
    write_table(read_table(tmp_path / "t.csv"), tmp_path / "old.csv")  # to be refused, too
    refused = _refused(capsys, ["classify", *files[:1], "-o", tmp_path / "old.csv"])[1]
    assert "--overwrite" in refused
    assert page.read_bytes() == before


def test_columns_are_checked_before_the_run(capsys, tmp_path, stub):
    source, output = tmp_path / "in.parquet", tmp_path / "out.csv"
    pq = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    pq.write_table(pa.table({"file": ["a.jpg"], "spectrum": [[1.0, 2.0]]}), source)
    code, line = _refused(capsys, ["classify", source, "--images", "file", "-o", output])
    assert code == 2 and "'spectrum'" in line and stub.options is None
    pq.write_table(pa.table({"file": ["a.jpg"], "id": pa.array([2**63 + 1], "uint64")}), source)
    for end in ("parquet", "fits", "vot", "csv"):
        output = tmp_path / f"out.{end}"
        assert cli.main(["classify", str(source), "--images", "file", "-o", str(output)]) == 0
        assert int(read_table(output)["id"][0]) == 2**63 + 1


def test_a_hats_catalog_needs_positions_before_the_run(capsys, stub):
    Table({"file": ["a.jpg"], "alpha": [10.0]}).write("t.csv")
    Table({"file": ["a.jpg"], "ra": [np.nan], "dec": [np.nan]}).write("p.csv")
    for arguments in (["a.jpg"], ["t.csv", "--images", "file"], ["p.csv", "--images", "file"]):
        code, line = _refused(capsys, ["classify", *arguments, "-o", "out_hats"])
        assert code == 2 and "position" in line and "HATS" in line and stub.options is None


@pytest.mark.parametrize("arguments", [
    ["--report", "x.fits"], ["--report", "./x.fits", "--overwrite"], ["--checkpoint", "x.fits"]])
def test_one_result_does_not_replace_the_other(capsys, stub, arguments):
    code, line = _refused(capsys, ["classify", "a.jpg", "-o", "x.fits", *arguments])
    assert code == 2 and f"{arguments[0]} need different names" in line and stub.options is None


def test_weights_get_their_ending_before_the_training(capsys):
    code, line = _refused(capsys, ["adapt", "a.jpg", "-o", "mine.fits"])
    assert code == 2 and "--output: expected a name that ends in .safetensors" in line


def test_errors_of_local_images_name_the_option(capsys):
    Table({"ra": [1.0], "dec": [2.0]}).write("p.csv")
    for option, value in {"--local": "nowhere", "--local-pattern": "x",
                          "--local-width": "0arcsec"}.items():
        local = [] if option == "--local" else ["--local", "."]
        assert cli.main(["classify", "p.csv", *local, option, value]) == 1
        assert f"error: {option}: expected" in capsys.readouterr().err


def test_control_characters_of_names_are_escaped(capsys, cutouts, stub):
    name = "a\x1b]0;title\x07\x1b[31m.jpg"
    (cutouts / name).touch()
    for arguments in (["classify", name], ["classify", "no" + name], ["evaluate", "no" + name]):
        cli.main(arguments)
        captured = capsys.readouterr()
        assert "\x1b" not in captured.out + captured.err
        assert "\\x1b" in captured.out + captured.err


def test_names_that_the_terminal_cannot_encode(cutouts, stub, monkeypatch):
    (cutouts / "galaxi\xe9 \u222e.jpg").touch()
    for encoding, shown in {"ascii": rb"galaxi\xe9 \u222e.jpg",
                            "latin-1": b"galaxi\xe9 \\u222e.jpg"}.items():
        terminal = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(sys, "stdout", terminal)
        assert cli.main(["classify", "galaxi\xe9 \u222e.jpg"]) == 0
        assert shown in terminal.buffer.getvalue()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("redirect", ["> /dev/full", "> /dev/full 2> /dev/full", ">&-"])
def test_a_full_disk_behind_the_standard_output(cutouts, redirect):
    code = "import sys; from astromorph.cli import main; sys.exit(main([\"info\"]))"
    run = subprocess.run(f"{sys.executable} -c '{code}' {redirect}", shell=True,
                         capture_output=True, text=True)
    assert "Traceback" not in run.stderr and run.stderr.count("\n") <= 1
    assert run.returncode == int("/dev/full" in redirect)


def test_folders_hold_compressed_images_too(cutouts, tmp_path, stub):
    names = ["a.fits", "b.fits.gz", "c.fits.fz", "d.FIT", "e.fit.gz"]
    for name in [*names, "notes.txt", "t.csv", "x.tar.gz"]:
        (tmp_path / name).touch()
    assert cli.main(["classify", str(tmp_path), "-o", "o.csv"]) == 0
    assert [Path(name).name for name in read_table("o.csv")["file"]] == sorted(names)


def test_missing_table(capsys, stub, tmp_path):
    missing = tmp_path / "no.fits"
    assert cli.main(["classify", str(missing), "--images", "file"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("astromorph classify: error: ")
    assert str(missing) in captured.err
    assert captured.err.count("\n") == 1


def test_weights_are_those_of_the_survey(monkeypatch):
    asked = []
    monkeypatch.setattr("astromorph.MorphologyClassifier.from_pretrained",
                        lambda survey, network: asked.append(survey) or _StubClassifier())
    assert cli.main(["classify", "a.jpg"]) == 0
    assert cli.main(["classify", "a.jpg", "--survey", "des"]) == 0
    assert asked == ["sdss", "des"]


def test_a_record_in_a_file(tmp_path, monkeypatch, capsys):
    record = tmp_path / "mine.toml"
    text = KIDS
    asked = []
    monkeypatch.setattr("astromorph.MorphologyClassifier.from_pretrained",
                        lambda survey, network: asked.append(survey) or _StubClassifier())
    record.write_text(text)
    assert cli.main(["classify", "a.jpg", "--survey", str(record)]) == 0
    assert asked == [SURVEYS["kids"]]
    capsys.readouterr()
    for old, new, told in (
            ('"0.2 arcsec"', "0.2", "pixel_scale in {}: expected a positive angle"),
            ("offset", "ofset", "ofset in {}: .* Did you mean offset"),
            ('["hips2fits"]', '["hips2fit"]', "in {}: services: expected 'skyserver'"),
            ('["hips2fits"]', '["viewer"]', "in {}: services: .*whose layer")):
        record.write_text(text.replace(old, new))
        status, line = _refused(capsys, ["classify", "a.jpg", "--survey", str(record)])
        assert status == 2 and re.search(told.format(re.escape(str(record))), line)
    status, line = _refused(capsys, ["classify", "a.jpg", "--survey", str(tmp_path / "no.toml")])
    assert status == 2 and "no.toml" in line and "No such file" in line


def test_info_of_surveys(capsys, tmp_path):
    assert cli.main(["info", "surveys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    euclid = next(line for line in lines if line.startswith("euclid "))
    assert euclid.split() == ["euclid", "Q1", "VIS,Y,J,H", "VIS", "hips2fits-fits,", "hips2fits",
                              "-52", "to", "70", "of", "sdss"]
    assert any(line.startswith("sdss ") and line.rstrip().endswith("ds18, pinwheel, whirlpool")
               for line in lines)
    record = tmp_path / "mine.toml"
    record.write_text(KIDS.replace(
        '"kids"', '"mine"'))
    assert cli.main(["info", str(record)]) == 0
    out = capsys.readouterr().out
    assert "Kilo-Degree Survey DR5 (mine)" in out and "for survey     sdss" in out
    assert "only reported  The HiPS is only reported" in out
    status, line = _refused(capsys, ["info", str(tmp_path / "none.toml")])
    assert status == 2 and "No such file" in line
    assert cli.main(["info", "surveys", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["surveys"]
    assert told["kids"]["weights_of"] == "sdss"
    assert told["sdss"]["networks"] == ["ds18", "pinwheel", "whirlpool"]


def test_unknown_network(capsys):
    status, line = _refused(capsys, ["classify", "a.jpg", "--network", "resnet"])
    assert status == 2
    assert "resnet" in line


@pytest.fixture
def loaded(classifier, monkeypatch):
    """The real classifier, loaded once."""
    for command in ("adapt", "classify", "demo", "embed", "evaluate", "suggest", "dry_run",
                    "hats"):
        monkeypatch.setattr(f"astromorph.cli.{command}.load_classifier", lambda args: classifier)


def test_demo(capsys, tmp_path, loaded):
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "demo.fits").write_text("of an earlier run")
    assert cli.main(["demo", "--output-dir", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "SIMULATED" in out
    table = Table.read(folder / "demo.fits")
    assert len(table) == 12
    assert all(str(name) in out for name in table["name"])
    assert fits.getval(folder / "demo.fits", "SIMULATD", ext=1) is True
    for question in QUESTIONS:
        probability = np.ma.filled(table[question.column], np.nan)
        assert np.all((probability >= 0) & (probability <= 1))
    assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in folder.iterdir()} == {"demo.fits", "demo.png"}


@pytest.fixture
def positions(tmp_path):
    """A catalog, as a file."""
    path = tmp_path / "cat.ecsv"
    Table({"ra": [10.0], "dec": [1.0], "petroR90_r": [5.0], "size": [6.0]}).write(path)
    return str(path)


def test_classify_positions_offline(positions, tmp_path, monkeypatch, capsys):
    """The real classifier, with an empty cache: nothing is asked for, the row is flagged."""
    monkeypatch.setenv("ASTROMORPH_CACHE", str(tmp_path / "cache"))
    assert cli.main(["classify", positions, "--positions", "--offline", "--survey", "legacy"]) == 1
    captured = capsys.readouterr()
    assert str(int(MorphFlag.NOT_CACHED)) in captured.out
    assert "Classified 0 of 1 galaxies (NOT_CACHED 1)." in captured.err


def test_column_of_sizes(positions, capsys):
    assert cli.main(["classify", positions, "--positions", "--offline", "--r90", "size"]) == 1
    assert "r90: expected an angle" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    (["a.fits", "b.fits", "--positions"], "one table, not 2 files"),
    (["a.fits", "--positions", "--images", "file"], "give --images or --positions, not both"),
    (["a.jpg", "--offline"], "--offline needs a table of positions")])
def test_bad_arguments_for_positions(capsys, arguments, message):
    status, line = _refused(capsys, ["classify", *arguments])
    assert status == 2 and message in line


def test_cache(tmp_path, capsys):
    request = CutoutRequest(10, 1, 30, 212, SURVEYS["sdss"], ("g", "r", "i"))
    cache = CutoutCache(tmp_path)
    cache.put(cache_key(request, "source"), b"image", {"survey": "sdss"})
    folder = ["--folder", str(tmp_path)]
    assert cli.main(["cache", "info", *folder]) == 0
    assert "entries    1\n" in capsys.readouterr().out
    for option in (["--survey", "des"], ["--older-than", "1"]):
        assert cli.main(["cache", "clear", *folder, *option]) == 0
        assert "Removed 0 images" in capsys.readouterr().out
    assert cli.main(["cache", "clear", *folder, "--survey", "SDSS"]) == 0
    assert "Removed 1 images" in capsys.readouterr().out
    assert cache.info()["entries"] == 0
    status, line = _refused(capsys, ["cache", "info", "--older-than", "3"])
    assert status == 2 and "need the action clear" in line


def _json(capsys, arguments, status=0):
    """The summary of a command; nothing else is on stdout."""
    assert cli.main([str(argument) for argument in [*arguments, "--json"]]) == status
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    summary = json.loads(lines[0])
    assert (summary["command"], summary["status"]) == (arguments[0], status)
    assert summary["version"] == __version__
    return summary


@pytest.fixture
def sample(tmp_path):
    """The embedded galaxies as a table with labels."""
    paths = list(load_sample()["file"])
    kinds = {"disk": ("barred", "edge-on", "simulated_spiral"), "edge_on": ("edge-on",),
             "bar": ("barred",)}
    headers = [fits.getheader(path) for path in paths]
    table = Table({"objid": range(12), "file": paths, "ra": [header["RA"] for header in headers],
                   "dec": [header["DEC"] for header in headers]})
    for key, names in kinds.items():
        table[key] = [float(any(name in path for name in names)) for path in paths]
    table.write(tmp_path / "sample.fits")
    return tmp_path / "sample.fits"


IMAGES = ["--images", "file", "--r90", "measure"]


def test_classify_evaluate_suggest(sample, tmp_path, loaded, capsys):
    """What one command writes is what the next one reads."""
    output = tmp_path / "out.vot"
    summary = _json(capsys, ["classify", sample, *IMAGES, "--joint", "-o", output])
    assert (summary["rows"], summary["classified"]) == (12, 12)
    assert summary["flags"] == {"MEASURED_SIZE": 12}  # as IMAGES asks
    assert summary["output"] == str(output) and summary["network"] == "pinwheel"
    table = read_table(output)
    assert list(table["objid"]) == list(range(12)) and "P_bar_joint" in table.colnames
    assert table.meta["MORPHNET"] == "pinwheel"

    scores = _json(capsys, ["evaluate", output, "--no-intervals"])["scores"]
    assert [row["n"] for row in scores] == [12, 9, 6]  # where they are asked
    assert scores[0]["AUC"] == 1 and "AUC_low" not in scores[0]
    chosen = _json(capsys, ["evaluate", output, "--no-intervals", "--min-votes", "0"])["scores"]
    assert chosen == scores  # probabilities are not taken for labels
    assert cli.main(["evaluate", str(sample), *IMAGES, "-o", str(tmp_path / "s.ecsv")]) == 0
    assert Table.read(tmp_path / "s.ecsv")["AUC"][0] == 1
    for key in ("disk", "edge_on", "bar"):
        table.rename_column(key, f"my_{key}")
    table.write(tmp_path / "bare.ecsv")
    labels = tmp_path / "labels.csv"
    table[["my_disk", "my_edge_on", "my_bar"]].write(labels)
    labels.write_text(labels.read_text().replace("my_", ""))
    other = _json(capsys, ["evaluate", tmp_path / "bare.ecsv", "--labels", labels,
                           "--no-intervals"])["scores"]
    assert other == scores

    suggested = _json(capsys, ["suggest", sample, *IMAGES, "-n", "3", "-o", tmp_path / "3.csv"])
    assert suggested["suggested"] == 3 == len(Table.read(tmp_path / "3.csv"))


def test_embed_similar_odd(sample, tmp_path, loaded, capsys):
    output = tmp_path / "embedded.fits"
    summary = _json(capsys, ["embed", sample, *IMAGES, "--views", "1", "-o", output,
                             "--checkpoint", tmp_path / "run"])
    assert (summary["rows"], summary["embedded"], summary["output"]) == (12, 12, str(output))
    assert read_table(output)["features"].shape == (12, 16) and (tmp_path / "run").is_dir()
    found = _json(capsys, ["similar", output, "--like", "3", "-n", "4", "-o", tmp_path / "4.ecsv"])
    assert found["found"] == 4 and 3 not in read_table(tmp_path / "4.ecsv")["objid"]
    assert _json(capsys, ["odd", output, "-n", "2", "-o", tmp_path / "2.fits"])["rows"] == 12
    assert len(read_table(tmp_path / "2.fits")) == 2
    assert cli.main(["similar", str(output), "--like", "12"]) == 1
    assert "--like: expected the number of a row" in capsys.readouterr().err
    assert cli.main(["odd", str(output), "-n", "0"]) == 1
    assert "positive integer" in capsys.readouterr().err


def test_features_and_csv_are_told_apart_before_the_run(capsys):
    code, line = _refused(capsys, ["embed", "a.jpg", "-o", "embedded.csv"])
    assert code == 2 and "--output: CSV has one value per cell" in line


def test_adapt(sample, tmp_path, loaded, capsys, monkeypatch):
    """The arguments reach `adapt`, and the new weights are a file that ``info`` knows."""
    asked = {}

    def adapt(self, data, labels, **options):
        asked.update(options, rows=len(data), labels=labels)
        return MorphologyClassifier.from_pretrained("legacy")

    monkeypatch.setattr(MorphologyClassifier, "adapt", adapt)
    output = tmp_path / "mine.safetensors"
    summary = _json(capsys, ["adapt", sample, *IMAGES, "--survey", "legacy", "--train", "dense",
                             "--no-align", "--seed", "3", "-o", output, "--learning-curve", "5",
                             "8"])
    assert summary["output"] == str(output)
    assert asked == {"images": "file", "r90": "measure", "survey": "legacy", "seed": 3,
                     "train": "dense", "align": False, "learning_curve": [5, 8], "rows": 12,
                     "labels": None}
    assert summary["report"]["table"]["columns"]["question"] == ["disk", "edge_on", "bar"]
    card = _json(capsys, ["info", output])["card"]
    assert card["sha256"] == summary["weights"]
    status, line = _refused(capsys, ["adapt", sample, *IMAGES, "-o", output])
    assert status == 2 and "--overwrite" in line


def test_too_few_labels(sample, tmp_path, loaded, capsys):
    output = tmp_path / "mine.safetensors"
    assert cli.main(["adapt", str(sample), *IMAGES, "-o", str(output)]) == 1
    assert "at least 10 galaxies of each answer" in capsys.readouterr().err
    assert not output.exists()


def test_info(capsys):
    surveys = _json(capsys, ["info"])["surveys"]
    assert list(surveys) == list(SURVEYS)
    assert "pinwheel" in surveys["des"]["networks"]
    assert cli.main(["info", "legacy", "--network", "ds18"]) == 0
    out = capsys.readouterr().out
    for text in ("DESI Legacy Imaging Surveys DR10", "network        ds18", "viewer", "AUC",
                 "BSD-3-Clause", "Dominguez Sanchez et al. 2019"):
        assert text in out
    assert cli.main(["info", "no.safetensors"]) == 1
    assert "Received 'no.safetensors'; there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cat.csv", "cat.fits", "cat.vot", "cat.parquet", "cat_hats"])
def test_tables_of_positions_are_told_from_images(tmp_path, capsys, loaded, name):
    """Without --positions; the columns and their units are those that are said."""
    if name == "cat_hats":
        pytest.importorskip("lsdb")
    write_table(Table({"ra": [10.0, 40.0], "dec": [1.0, 1.0], "x": [20.0, 21.0], "y": [2.0, 95.0],
                       "radius": [5.0, 6.0]}), tmp_path / name)
    arguments = ["classify", tmp_path / name, "--ra", "x", "--dec", "y", "--r90", "radius:arcsec",
                 "--cache", tmp_path / "cache", "--offline", "-o", tmp_path / "out.ecsv"]
    summary = _json(capsys, arguments, status=1)
    assert summary["flags"] == {"NOT_CACHED": 1, "BAD_COORDINATE": 1}
    assert summary["images"] == "Sloan Digital Sky Survey DR17"
    assert Table.read(tmp_path / "out.ecsv")["radius"].unit == "arcsec"


@pytest.mark.parametrize("scale, expected", [
    ("0.4arcsec", 0.4 * u.arcsec), ("pixel:arcmin", "pixel"), ("pixel", "pixel")])
def test_pixel_scale(sample, tmp_path, stub, scale, expected):
    table = read_table(sample)
    table["pixel"] = 0.01
    write_table(table, tmp_path / "scaled.fits")
    cli.main(["classify", str(tmp_path / "scaled.fits"), "--images", "file", "--pixel-scale",
              scale, "-o", str(tmp_path / "out.fits")])
    assert stub.options["pixel_scale"] == expected


def test_a_wrong_pixel_scale(sample, capsys, stub):
    status, line = _refused(capsys, ["classify", sample, *IMAGES, "--pixel-scale", "0.4"])
    assert status == 2 and "--pixel-scale: expected an angle with its unit" in line
    arguments = ["classify", str(sample), *IMAGES, "--pixel-scale", "none:arcsec"]
    assert cli.main(arguments) == 1
    assert "--pixel-scale: there is no column 'none'" in capsys.readouterr().err


def test_folder_of_cutouts(cutouts, capsys, stub):
    (cutouts / "notes.txt").touch()
    assert _json(capsys, ["classify", cutouts])["rows"] == 3


def test_local_images(sample, tmp_path, capsys, loaded):
    table = read_table(sample)
    table["stem"] = [Path(path).stem for path in table["file"]]
    table["petroR90"] = 6.0
    write_table(table, tmp_path / "named.fits")
    folder = Path(table["file"][0]).parent
    summary = _json(capsys, ["classify", tmp_path / "named.fits", "--local", folder, "--ids",
                             "stem", "--provenance", "-o", tmp_path / "out.fits"])
    assert summary["classified"] == 12
    assert set(read_table(tmp_path / "out.fits")["cutout_service"]) == {"local-folder"}


REGION = "icrs; circle(10.0, 1.0, 0.1)"


def test_region(tmp_path, capsys, monkeypatch, stub):
    asked = {}

    def classify_region(region, **options):
        asked.update(options, region=region)
        return stub.classify(["a.jpg"])

    stub.classify_region = classify_region
    saved = tmp_path / "one.reg"
    saved.write_text(f"# Region file format: DS9\n{REGION.replace('; ', chr(10))}\n")
    for region in (REGION, saved):
        assert _json(capsys, ["classify", "--region", region, "--survey", "des", "--max-rows",
                              "50"])["classified"] == 1
        assert asked["region"].radius.to_value("deg") == 0.1
        assert (asked["survey"], asked["max_rows"]) == ("des", 50)


def test_dry_run(tmp_path, capsys, loaded, monkeypatch):
    """It counts what the cache has, and asks for nothing: tests have no network."""
    table = Table({"ra": [10.0, 11.0, 12.0, np.nan], "dec": [1.0] * 4, "petroR90_r": [5.0] * 4})
    table.write(tmp_path / "cat.fits")
    cache = CutoutCache(tmp_path / "cache")
    rows = SkyPositions(table, "sdss", frame_r90=4.24, cache=cache)
    request, _ = next(iter(rows))
    source = image_source(IMAGE_SERVICES["viewer-fits"], SURVEYS["sdss"])
    cache.put(cache_key(request, source), b"image", {"survey": "sdss"})
    arguments = ["classify", tmp_path / "cat.fits", "--cache", cache.folder, "--dry-run",
                 "--cutout-r90", "4.24"]
    summary = _json(capsys, arguments)
    assert summary["dry_run"] is True
    assert [summary[name] for name in ("rows", "to_classify", "in_cache", "no_image_possible",
                                       "requests")] == [4, 3, 1, 1, 2]
    assert summary["minutes"] >= 0
    assert any("skyserver" in line for line in summary["assumes"])
    frames = _json(capsys, [*arguments, "--services", "sdss-frames"])
    assert (frames["requests"], frames["megabytes"]) == (18, 11.5)
    assert _json(capsys, [*arguments, "--offline"])["not_cached"] == 2
    assert _json(capsys, ["classify", "--region", REGION, "--dry-run"])["rows"] is None


def test_dry_run_of_a_hats_catalog(tmp_path, capsys, loaded, monkeypatch):
    """It may be too large to read."""
    pytest.importorskip("lsdb")
    write_table(Table({"ra": [10.0, 11.0], "dec": [1.0] * 2, "petroR90_r": [5.0] * 2,
                       "file": ["a", "b"]}), tmp_path / "cat_hats")
    monkeypatch.setattr("astromorph.tables.hats.MAX_ROWS", 1)
    summary = _json(capsys, ["classify", tmp_path / "cat_hats", "--survey", "des", "--dry-run"])
    assert [summary[name] for name in ("rows", "to_classify", "requests")] == [2, 2, 2]
    assert summary["assumes"][0] == "the cache has none of the images"
    images = _json(capsys, ["classify", tmp_path / "cat_hats", "--images", "file", "--dry-run"])
    assert [images[name] for name in ("rows", "requests")] == [2, 0]


def test_dry_run_of_images(sample, capsys, loaded):
    size = sum(Path(path).stat().st_size for path in read_table(sample)["file"])
    assert cli.main(["classify", str(sample), *IMAGES, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^rows +12$", out, re.M) and re.search(r"^requests +0$", out, re.M)
    assert f"MB to read                   {size / 1e6:.1f}" in out
    assert "This assumes that" in out


def test_dry_run_of_a_service_without_measured_traffic(tmp_path, monkeypatch, capsys):
    """What is not known is said to be unknown."""
    service = ImageService("archive", lambda request, transport: None, needs=lambda survey: True)
    monkeypatch.setitem(IMAGE_SERVICES, "archive", service)
    monkeypatch.setitem(SURVEYS, "sdss", replace(SURVEYS["sdss"], services=("archive",)))
    Table({"ra": [1.0, 2.0], "dec": [3.0, 4.0], "petroR90_r": [5.0, 6.0]}).write(
        tmp_path / "cat.csv")
    arguments = ["classify", tmp_path / "cat.csv", "--survey", "sdss", "--dry-run", "--cache", "no"]
    summary = _json(capsys, arguments)
    assert (summary["rows"], summary["requests"], summary["megabytes"]) == (2, 2, None)
    assert cli.main(list(map(str, arguments))) == 0
    assert "unknown" in capsys.readouterr().out


def test_costs_of_ways_are_as_documented():
    """The constants of the dry run are those that the benchmark wrote to the documentation."""
    text = (Path(__file__).parents[2] / "docs" / "tables" / "services_table.rst").read_text()
    rows = [line.strip().split(", ") for line in text.splitlines() if "``" in line]
    for _, service, _, requests, kilobytes, _ in rows:
        known = IMAGE_SERVICES[service.strip("`")]
        assert known.requests == float(requests)
        assert 0.7 * known.kilobytes <= float(kilobytes) <= known.kilobytes
    assert {row[1].strip("`") for row in rows} == {
        name for name, service in IMAGE_SERVICES.items() if service.kilobytes is not None}


class _Resumable(_StubClassifier):
    """Stops at the first call, and goes on from its checkpoint at the second."""

    def classify(self, data, *, checkpoint=None, **options):
        if not (checkpoint / "part").exists():
            checkpoint.mkdir()
            (checkpoint / "part").touch()
            raise KeyboardInterrupt
        return super().classify(data, **options)


def test_resume(tmp_path, capsys, monkeypatch):
    classifier = _Resumable()
    monkeypatch.setattr("astromorph.cli.classify.load_classifier", lambda args: classifier)
    arguments = ["classify", "a.jpg", "-o", str(tmp_path / "out.fits"), "--resume"]
    assert cli.main(arguments) == 130
    assert "interrupted; with --resume" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out.fits.checkpoint"]
    assert cli.main(arguments) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.fits"]

    kept = tmp_path / "kept"
    arguments = ["classify", "a.jpg", "-o", str(tmp_path / "2.fits"), "--checkpoint", str(kept)]
    assert [cli.main(arguments) for _ in range(2)] == [130, 0]
    assert kept.is_dir()


def test_resume_survives_a_failed_write(tmp_path, capsys, monkeypatch):
    """The work stays until the output is there."""
    monkeypatch.setattr("astromorph.cli.classify.load_classifier", lambda args: _Resumable())
    arguments = ["classify", "a.jpg", "-o", str(tmp_path / "out.fits"), "--resume"]
    assert cli.main(arguments) == 130
    _fill_disk(monkeypatch)
    assert cli.main(arguments) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out.fits.checkpoint"]


@pytest.mark.skipif("checkpoint" not in signature(MorphologyClassifier.classify).parameters,
                    reason="classify has no checkpoint yet")
def test_resume_for_real(sample, tmp_path, capsys, loaded, monkeypatch):
    arguments = ["classify", str(sample), *IMAGES, "-o", str(tmp_path / "out.ecsv"), "--resume"]
    with monkeypatch.context() as patched:
        _fill_disk(patched)
        assert cli.main(arguments) == 1
    assert (tmp_path / "out.ecsv.checkpoint").is_dir()
    assert cli.main(arguments) == 0
    assert len(Table.read(tmp_path / "out.ecsv")) == 12
    assert not (tmp_path / "out.ecsv.checkpoint").exists()


def test_partitions_of_another_input_are_not_continued(tmp_path, loaded, monkeypatch):
    """A killed run left partitions; then the catalog, or the version, changed."""
    lsdb_hats = pytest.importorskip("lsdb.io.to_hats")
    files = list(load_sample()["file"][:6])
    table = Table({"ra": np.arange(6.0), "dec": np.zeros(6), "image": files})
    arguments = [*map(str, ("classify", tmp_path / "in_hats", "--images", "image", "--cutout-r90",
                            "8", "-o", tmp_path / "out_hats", "--resume", "-q"))]

    def stop(*args, **options):
        raise KeyboardInterrupt

    write_table(table, tmp_path / "in_hats")
    with monkeypatch.context() as patched:  # all partitions are written then
        patched.setattr(lsdb_hats, "_write_parquet_metadata", stop)
        assert cli.main(arguments) == 130
    first = set(tmp_path.glob("out_hats.checkpoint-*"))
    shutil.rmtree(tmp_path / "in_hats")
    table["image"] = files[::-1]
    write_table(table, tmp_path / "in_hats")
    with monkeypatch.context() as patched:
        patched.setattr(lsdb_hats, "_write_parquet_metadata", stop)
        patched.setattr("astromorph.cli.hats.__version__", "another")
        assert cli.main(arguments) == 130
    assert len(set(tmp_path.glob("out_hats.checkpoint-*")) - first) == 1
    assert cli.main(arguments) == 0
    found = read_table(tmp_path / "out_hats")
    assert [found["image"][k] for k in np.argsort(found["ra"])] == files[::-1]


def _fill_disk(monkeypatch):
    def full(table, path, **options):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    for name in ("fits", "ecsv"):
        monkeypatch.setitem(FORMATS, name, replace(FORMATS[name], write=full))


# (arguments, exit status, what the line says); {t} is a folder with the files below.
BAD_INPUTS = {
    "missing image": (["classify", "{t}/no.jpg"], 1, "there is no file {t}/no.jpg"),
    "missing images": (["classify", "{t}/no.jpg", "{t}/nor.jpg"], 1, "none of the 2 files exists"),
    "missing table": (["classify", "{t}/no.csv"], 1, "there is no file {t}/no.csv"),
    "missing column": (["classify", "{t}/good.csv", "--images", "pic"], 1, "'pic'"),
    "no coordinates": (["classify", "{t}/bare.csv", "--width", "30arcsec"], 1,
                       "no positions in the columns"),
    "no sizes": (["classify", "{t}/bare.csv", "--ra", "a", "--dec", "b"], 1, "expected a column"),
    "wrong unit": (["classify", "{t}/good.ecsv", "--r90", "mass"], 1, "expected an angle"),
    "no unit": (["classify", "{t}/good.csv", "--r90", "6"], 2, "an angle with its unit"),
    "unit of mass": (["classify", "{t}/good.csv", "--r90", "size:kg"], 2, "a unit of angle"),
    "unknown unit": (["classify", "{t}/good.csv", "--r90", "size:ell"], 2, "a unit of angle"),
    "unit of no column": (["classify", "{t}/good.csv", "--r90", "length:arcsec"], 1,
                          "'length'"),
    "unreadable": (["classify", "{t}/damaged.vot"], 1, "cannot be read as votable"),
    "unreadable FITS": (["classify", "{t}/damaged.fits", "--positions"], 1,
                        "cannot be read as fits"),
    "unknown input format": (["classify", "{t}/good.csv", "--input-format", "excel"], 1,
                             "format: expected one of"),
    "output exists": (["classify", "{t}/a.jpg", "-o", "{t}/old.fits"], 2, "--overwrite"),
    "output is a folder": (["classify", "{t}/a.jpg", "-o", "{t}/empty", "--output-format", "fits",
                            "--overwrite"], 2, "is a folder"),
    "output folder missing": (["classify", "{t}/a.jpg", "-o", "{t}/no/out.fits"], 2,
                              "there is no folder"),
    "output folder is a file": (["classify", "{t}/a.jpg", "-o", "{t}/a.jpg/out.fits"], 2,
                                "there is no folder"),
    "read-only output": (["classify", "{t}/a.jpg", "-o", "/proc/out.fits"], 2, "/proc/"),
    "output is a device": (["classify", "{t}/a.jpg", "-o", "/dev/full", "--output-format", "csv",
                            "--overwrite"], 2, "/dev/full, which is not a file"),
    "unknown output format": (["classify", "{t}/a.jpg", "-o", "{t}/out.tableau"], 2,
                              "which has no such ending"),
    "report exists": (["classify", "{t}/a.jpg", "--report", "{t}/old.fits"], 2, "--overwrite"),
    "full disk": (["classify", "{t}/a.jpg", "-o", "{t}/out.fits"], 1, "No space left on device"),
    "unknown survey": (["classify", "{t}/a.jpg", "--survey", "hubble"], 2, "'sdss'"),
    "unknown network": (["classify", "{t}/a.jpg", "--network", "resnet"], 2, "resnet"),
    "unknown weights": (["classify", "{t}/a.jpg", "--weights", "{t}/no.safetensors"], 1,
                        "there is no weights file"),
    "damaged weights": (["classify", "{t}/a.jpg", "--weights", "{t}/damaged.fits"], 1,
                        "which cannot be read"),
    "unknown service": (["classify", "{t}/good.csv", "--services", "pigeon"], 1, "'skyserver'"),
    "missing local folder": (["classify", "{t}/good.csv", "--local", "{t}/no"], 1,
                             "an existing folder"),
    "bad region": (["classify", "--region", "around here"], 1, "--region"),
    "region and files": (["classify", "{t}/a.jpg", "--region", REGION], 2, "leave out FILE"),
    "nothing": (["classify"], 2, "required: FILE"),
    "empty folder": (["classify", "{t}/empty"], 2, "there are no images"),
    "no labels": (["evaluate", "{t}/good.csv", "--offline"], 1, "disk"),
    "no output": (["adapt", "{t}/good.csv"], 2, "required: -o"),
    "resume without output": (["classify", "{t}/a.jpg", "--resume"], 2, "--resume needs"),
    "workers without HATS": (["classify", "{t}/a.jpg", "--workers", "2"], 2, "--workers needs"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input(case, tmp_path, capsys, monkeypatch, classifier):
    """One clear line, an exit status, and nothing written."""
    _bad_files(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    arguments, expected, message = BAD_INPUTS[case]
    if not {"--weights", "--network"} & set(arguments):
        for command in ("classify", "evaluate"):
            monkeypatch.setattr(f"astromorph.cli.{command}.load_classifier",
                                lambda args: _StubClassifier() if case == "full disk"
                                else classifier)
    if case == "full disk":
        _fill_disk(monkeypatch)
    try:
        status = cli.main([argument.format(t=tmp_path) for argument in arguments])
    except SystemExit as refusal:
        status = refusal.code
    captured = capsys.readouterr()
    assert status == expected
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith(f"astromorph {arguments[0]}: error: ")
    assert message.format(t=tmp_path) in captured.err
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def _bad_files(folder):
    (folder / "empty").mkdir()
    (folder / "a.jpg").touch()
    (folder / "old.fits").write_text("precious")
    (folder / "damaged.fits").write_text("SIMPLE =")
    (folder / "damaged.vot").write_text("<VOTABLE>")
    Table({"a": [1.0], "b": [2.0]}).write(folder / "bare.csv")
    good = Table({"ra": [1.0], "dec": [2.0], "size": [3.0], "petroR90": [3.0],
                  "mass": [1.0]}, units={"mass": "kg"})
    good.write(folder / "good.csv")
    good.write(folder / "good.ecsv")


def test_interrupted(capsys, monkeypatch, stub):
    def interrupt(data, **options):
        raise KeyboardInterrupt

    stub.classify = interrupt
    assert _json(capsys, ["classify", "a.jpg"], status=130)["error"].startswith("interrupted")


def test_errors_are_in_the_summary(capsys):
    assert "no file" in _json(capsys, ["classify", "no.jpg"], status=1)["error"]


def test_how_much_it_says(capsys, stub):
    level = log.level
    assert cli.main(["classify", "a.jpg", "-q"]) == 0
    assert capsys.readouterr().err == ""
    assert stub.options["progress"] is False
    assert cli.main(["classify", "no.jpg", "-v"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err
    assert log.level == level


def test_programming_errors_are_not_hidden(monkeypatch, stub):
    def broken(data, **options):
        raise ZeroDivisionError

    stub.classify = broken
    with pytest.raises(ZeroDivisionError):
        cli.main(["classify", "a.jpg"])


def test_a_report_without_jinja2_is_refused_first(sample, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    out = tmp_path / "out.fits"
    assert cli.main(["classify", str(sample), *IMAGES, "-o", str(out), "--report",
                     str(tmp_path / "r.html")]) == 1
    assert 'pip install "astromorph-galaxies[report]"' in capsys.readouterr().err
    assert not out.exists()


def test_report(sample, tmp_path, capsys, loaded, monkeypatch):
    """What the report is asked for; its contents have tests of their own."""
    asked = []
    monkeypatch.setattr(report, "write_report", lambda table, path, **options: asked.append(
        (len(table), path, options)))
    monkeypatch.setattr(report, "check_report", lambda path, *, overwrite: None)
    page = tmp_path / "r.html"
    assert cli.main(["classify", str(sample), *IMAGES, "--report", str(page)]) == 0
    rows, path, options = asked.pop()
    assert (rows, path, options["images"]) == (12, page, "file")
    cli.main(["classify", str(sample), "--width", "30arcsec", "--offline", "--cache",
              str(tmp_path / "cache"), "--report", str(page)])
    assert asked[0][2]["images"](0) is None  # there is none in the cache


def _documented():
    """Command lines of the README, the documentation and the help."""
    root = Path(__file__).parents[2]
    sources = {path.name: path.read_text() for path in [root / "README.rst",
                                                        *sorted((root / "docs").glob("*.rst"))]}
    actions = cli.build_parser()._subparsers._group_actions[0].choices
    sources |= {name: parser.epilog for name, parser in actions.items()}
    for source, text in sources.items():
        code = "^ {4,}" if source.endswith(".rst") else "^ *"  # prose may start with astromorph
        for match in re.finditer(rf"(?:{code}|`)(?:\$ *)?(?:\S.*&& )?(astromorph [a-z-].*?)(?:`|$)",
                                 text.replace("\\\n", " "), re.M):
            yield source, match[1]


def _arguments(line):
    """What the shell makes of a command line, up to a pipe; file patterns are not expanded."""
    return shlex.split(line.split(" | ")[0], comments=True)[1:]


def _is_whole(arguments):
    """Not just the name of a command in running text."""
    return len(arguments) > 1 or arguments[0] in ("info", "demo")


KIDS = (Path(cli.__file__).parents[1] / "records" / "kids.toml").read_text()


def test_documented_commands_are_understood(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my_survey.toml").write_text(KIDS)
    lines = list(_documented())
    commands = {line.split()[1] for _, line in lines}
    assert {"classify", "adapt", "evaluate", "suggest", "info", "cache", "demo"} <= commands
    for source, line in lines:
        if not _is_whole(_arguments(line)):
            continue
        try:
            cli.build_parser().parse_args(_arguments(line))
        except SystemExit as end:
            assert end.code == 0, f"{source}: {line}: {capsys.readouterr().err}"


COMMANDS = sorted({line for _, line in _documented() if _is_whole(_arguments(line))
                   and not {"--help", "/data/hips/legacy-color"} & set(_arguments(line))})


def _visited(conversation, **options):
    """Stands in for the page and somebody there, who answers once or saves."""
    (state, _), = conversation.receive({"type": "ready"})
    message = {"type": "save"} if state["type"] == "look" else {
        "type": "answer", "id": "1", "row": state["queue"][0]["row"],
        "key": state["keys"][0]["key"]}
    (reply, _), *_ = conversation.receive(message)
    assert reply["type"] in ("saved", "written")


@pytest.fixture(scope="module")
def documented_files(tmp_path_factory, classifier):
    """The files that the documentation speaks of, of simulated galaxies."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "cutouts").mkdir()
    paths = load_sample()["file"][:4]
    for number, path in enumerate(paths):
        pixels = read_cutout(path, survey="sdss").pixels
        picture = Image.fromarray(np.uint8(255 * pixels))
        picture.save(folder / "cutouts" / f"{number}.jpg")
    cat = Table({"objid": range(4), "ra": [1.0, 2, 3, 4], "dec": [1.0] * 4, "disk": [1, 0, 1, 0],
                 "petroR90_r": [6.0] * 4, "file": [f"cutouts/{n}.jpg" for n in range(4)],
                 "edge_on": [1, 0, 1, 0], "bar": [1, 0, 1, 0]})
    for name in ("cat.fits", "cat.parquet", "galaxies.fits", "labeled.fits", "labeled.csv",
                 "votes.fits", "votes.ecsv"):
        write_table(cat, folder / name)
    write_table(Table({"RA": [1.0], "DEC": [1.0], "radius": [6.0]}), folder / "cat.csv")
    classified = classifier.classify(cat, images="file", r90="measure")
    for name in ("classified.fits", "morphology.fits"):
        write_table(classified, folder / name)
    write_table(classifier.embed(folder / "cutouts", r90="measure"), folder / "embedded.fits")
    classifier.write(folder / "mine.safetensors")
    (folder / "coma.reg").write_text(f"{REGION}\n")
    (folder / "my_survey.toml").write_text(KIDS)
    for name in ("questions.toml", "ring.toml"):
        (folder / name).write_text("[ring]\n")
    with chdir(folder):  # another person's labels
        conversation = open_conversation(classifier, "cutouts/", "ann.csv", labeler="Ann",
                                         learn=False)
        _visited(conversation)
        conversation.close()
    return folder


@pytest.mark.parametrize("line", COMMANDS)
def test_documented_commands_run(line, documented_files, tmp_path, capsys, loaded, monkeypatch):
    """On simulated galaxies, offline; the training alone is left out."""
    arguments = _arguments(line)
    if "--report" in arguments:
        pytest.importorskip("astromorph.report.page")
    if arguments[0] in ("label", "look"):
        pytest.importorskip("starlette")
        monkeypatch.setattr("astromorph.labeling.page.serve", _visited)
    if any("_hats" in argument for argument in arguments):
        pytest.importorskip("lsdb")
        if not hasattr(MorphologyClassifier, "classify_catalog"):
            pytest.skip("there is no classify_catalog yet")
        arguments = [argument for argument in arguments if argument not in ("--workers", "8")]
        write_table(read_table(documented_files / "cat.fits"), tmp_path / "survey_hats")
    elif "--resume" in arguments and "checkpoint" not in signature(
            MorphologyClassifier.classify).parameters:
        pytest.skip("classify has no checkpoint yet")
    shutil.copytree(documented_files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASTROMORPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(MorphologyClassifier, "adapt", lambda self, *args, **options:
                        MorphologyClassifier.from_pretrained("legacy"))
    monkeypatch.setattr("astromorph.galaxies.catalogs.query_galaxies", lambda *args, **options:
                        read_table("cat.fits"))
    arguments = [found for argument in arguments
                 for found in (sorted(glob(argument)) if "*" in argument else [argument])]
    if arguments[0] == "suggest" and "cutouts/" not in arguments:
        arguments = [*arguments, "--images", "file", "--r90", "measure"]
    elif arguments[0] == "classify" and "--images" not in arguments and not any(
            argument.startswith("cutouts/") for argument in arguments):
        arguments.append("--offline")
    if "-o" in arguments:
        arguments.append("--overwrite")
    status = cli.main(arguments)
    captured = capsys.readouterr()
    assert "error:" not in captured.err
    # Offline, only what is local can be classified.
    assert status == int("--offline" in arguments and not {"--local", "--dry-run"} & set(arguments))
    if "-o" in arguments:
        assert Path(arguments[arguments.index("-o") + 1]).exists()


def test_help_is_quick():
    """Nothing heavy is loaded to show the help or to refuse an argument."""
    code = ("import sys; from astromorph.cli import build_parser; build_parser().format_help(); "
            "print([name for name in ('numpy', 'astropy', 'tensorflow') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_python_runs_the_package_as_the_command():
    done = subprocess.run([sys.executable, "-m", "astromorph", "--version"], capture_output=True,
                          text=True, check=True)
    assert done.stdout == f"astromorph {__version__}\n"
