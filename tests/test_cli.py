"""The command line: what it writes, says and refuses."""
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from astromorph import __version__, cli
from astromorph.cache import CutoutCache, cache_key
from astromorph.flags import MorphFlag
from astromorph.questions import QUESTIONS
from astromorph.services import CutoutRequest
from astromorph.surveys import SURVEYS


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
    (["classify", "a.jpg", "-o", "a.tableau"], "tells no table format"),
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
    assert captured.err == "Classified 1 of 2 galaxies.\n"
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


def test_classify_prints_every_row(capsys, stub):
    files = ["a.jpg", *(f"{index:03d}.jpg" for index in range(200))]
    assert cli.main(["classify", *files, "--cutout-r90", "measure"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert stub.options["cutout_r90"] == "measure"
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


def test_unknown_network(capsys):
    status, line = _refused(capsys, ["classify", "a.jpg", "--network", "resnet"])
    assert status == 2
    assert "resnet" in line


@pytest.mark.parametrize("network", ["pinwheel", "ds18"])
def test_demo(capsys, tmp_path, network):
    folder = tmp_path / "new"
    for _ in range(2):  # the second run replaces the first one's files
        assert cli.main(["demo", "--output-dir", str(folder), "--network", network]) == 0
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
    assert "Classified 0 of 1 galaxies." in captured.err


def test_column_of_sizes(positions, capsys):
    assert cli.main(["classify", positions, "--positions", "--offline", "--r90", "size"]) == 1
    assert "r90: expected an angle" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    (["a.fits", "b.fits", "--positions"], "one table, not 2 files"),
    (["a.fits", "--positions", "--images", "file"], "exclude each other"),
    (["a.jpg", "--offline"], "--offline goes with --positions")])
def test_bad_arguments_for_positions(capsys, arguments, message):
    status, line = _refused(capsys, ["classify", *arguments])
    assert status == 2 and message in line


def test_cache(tmp_path, capsys):
    request = CutoutRequest(10, 1, 30, 212, SURVEYS["sdss"], ("g", "r", "i"))
    cache = CutoutCache(tmp_path)
    cache.put(cache_key(request, "skyserver"), b"image", {"survey": "sdss"})
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
    assert status == 2 and "go with clear" in line
