"""Runs that are stopped and go on, through `classify`, and the parts they leave behind."""
import errno
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from functools import partial

import numpy as np
import processes
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.table import Table
from filelock import FileLock
from PIL import Image

from astromorph import MorphFlag, MorphologyClassifier, get_survey, read_cutout
from astromorph.datasets import load_sample
from astromorph.errors import AstromorphWarning
from astromorph.running import checkpoint as module
from astromorph.model.alignment import LEVELS, Alignment
from astromorph.running.checkpoint import PART_ROWS, Checkpoint
from astromorph.galaxies.given import GivenImages
from astromorph.images import normalize_bands
from astromorph.services.base import FetchError, ServiceImage
from astromorph.running import Results
from astromorph.running.run import CHUNK
from astromorph.running.streaming import Outcomes

PART = 128
N = 3 * PART + 40


@pytest.fixture
def clf(classifier):
    return classifier


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory):
    """The sample, as small JPEG files."""
    folder = tmp_path_factory.mktemp("jpegs")
    for number, path in enumerate(load_sample()["file"]):
        picture = Image.fromarray(np.rint(255 * read_cutout(path).pixels).astype(np.uint8))
        picture.resize((120, 120)).save(folder / f"{number}.jpg", quality=95)
    return sorted(folder.glob("*.jpg"))


@pytest.fixture(scope="module")
def galaxies(jpegs, tmp_path_factory):
    """Names of N files, every 50th of which is missing."""
    folder = tmp_path_factory.mktemp("galaxies")
    names = [folder / f"{k}.jpg" for k in range(N)]
    for k, name in enumerate(names):
        if k % 50:
            name.hardlink_to(jpegs[k % len(jpegs)])
    return names


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", PART)


@pytest.fixture
def loads(monkeypatch):
    """Rows that are read, in any order; ``loads.fatal`` raises an exception at one of them."""
    class Loads(list):
        fatal = {}

    seen, load = Loads(), GivenImages.load

    def watched(self, row, *args):
        number = len(seen)
        seen.append(row[0])
        if number in seen.fatal:
            raise seen.fatal[number]
        return load(self, row, *args)

    monkeypatch.setattr(GivenImages, "load", watched)
    return seen


def same(a, b, *, date=True):
    """Whether two tables agree in every bit, with or without the date."""
    assert a.colnames == b.colnames
    for name in a.colnames:
        one, other = a[name], b[name]
        assert one.dtype == other.dtype and one.unit == other.unit, name
        assert one.description == other.description and one.meta == other.meta, name
        assert np.ma.getmaskarray(one).tobytes() == np.ma.getmaskarray(other).tobytes(), name
        assert np.ma.getdata(one).tobytes() == np.ma.getdata(other).tobytes(), name
    meta, other = dict(a.meta), dict(b.meta)
    if not date:
        meta.pop("MORPHDAT"), other.pop("MORPHDAT")
    assert meta == other
    return True


def parts(folder):
    return sorted(path.name for path in folder.glob("part-*.parquet"))


def test_parts_are_whole_chunks():
    assert PART_ROWS % CHUNK == 0 and PART % CHUNK == 0


@pytest.mark.parametrize("stop, at, options", [
    (KeyboardInterrupt, N - 5, {"uncertainty": "dropout"}), (SystemExit, 3, {"joint": True})])
def test_interrupted_run_goes_on(clf, galaxies, loads, tmp_path, stop, at, options):
    """Only what is missing is read, and the table is the same to the bit; then nothing is."""
    options = {"progress": False} | options
    whole = clf.classify(galaxies, **options)
    loads.clear()
    loads.fatal = {at: stop}
    with pytest.raises(stop):
        clf.classify(galaxies, checkpoint=tmp_path / "run", **options)
    saved = len(parts(tmp_path / "run")) * PART
    assert saved == 0 if at < PART else 0 < saved < N
    loads.clear()
    loads.fatal = {}
    resumed = clf.classify(galaxies, checkpoint=tmp_path / "run", **options)
    assert sorted(loads) == sorted(galaxies[saved:])
    assert same(resumed, whole, date=False)
    loads.clear()
    assert same(clf.classify(galaxies, checkpoint=tmp_path / "run", **options), resumed)
    assert loads == []


def test_date_is_that_of_the_beginning(clf, jpegs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "now", lambda: "2020-01-01T00:00:00")
    clf.classify(jpegs[:1], checkpoint=tmp_path)
    monkeypatch.undo()
    assert clf.classify(jpegs[:1], checkpoint=tmp_path).meta["MORPHDAT"] == "2020-01-01T00:00:00"
    assert clf.classify(jpegs[:1]).meta["MORPHDAT"] > "2020-01-01T00:00:00"


def test_no_galaxies(clf, tmp_path):
    for _ in range(2):
        result = clf.classify([], checkpoint=tmp_path)
        assert len(result) == 0 and result.colnames[-1] == "morph_flag"


def test_whole_run_is_counted(clf, galaxies, loads, tmp_path):
    """The warning at the end, on a run of which some rows were done before."""
    loads.fatal = {PART + 100: KeyboardInterrupt}
    with pytest.raises(KeyboardInterrupt):
        clf.classify(galaxies, checkpoint=tmp_path, threads=1, progress=False)
    loads.fatal = {}
    messages = []
    for _ in range(2):
        with pytest.warns(AstromorphWarning, match="classified") as said:
            clf.classify(galaxies, checkpoint=tmp_path, progress=False)
        messages += [str(each.message) for each in said if "classified" in str(each.message)]
    assert all(text.startswith("9 of 424 galaxies could not be classified (9 MISSING_FILE)")
               for text in messages)
    assert f"for example row 150: {galaxies[150]}" in messages[0]
    assert "for example" not in messages[1]


def test_a_run_without_any_answer_is_begun_anew(clf, jpegs, loads, tmp_path):
    """The folder of the images was not there yet, say."""
    names = [tmp_path / f"{k}.jpg" for k in range(PART + 5)]
    for number in range(2):
        table = clf.classify(names, checkpoint=tmp_path / "kept", progress=False)
        assert table["P_disk"].mask.all() and len(loads) == (number + 1) * len(names)
    for k, name in enumerate(names[:-1]):
        name.hardlink_to(jpegs[k % len(jpegs)])
    again = clf.classify(names, checkpoint=tmp_path / "kept", progress=False)
    assert again["P_disk"].mask.tolist() == [False] * (len(names) - 1) + [True]
    loads.clear()
    clf.classify(names, checkpoint=tmp_path / "kept", progress=False)
    assert not loads


def test_progress_starts_at_what_is_done():
    outcomes = Outcomes(10, False, "galaxies", [0, 64, MorphFlag.BLANK])
    assert outcomes.counts.total() == 3
    assert outcomes.counts == {"good": 2, "BLANK": 1}


# Positions


class Sky:
    """An image service that fails at some rows, and counts what it is asked."""

    name, local, source = "my-archive", True, "these pictures"

    def __init__(self, jpegs):
        self.images = [path.read_bytes() for path in jpegs]
        self.errors, self.asked = {}, []

    def __call__(self, request, transport):
        row = round(request.ra * 100)
        self.asked.append(row)
        if row in self.errors:
            raise self.errors[row]
        return ServiceImage(self.images[row % len(self.images)], f"https://archive/{row}", "irg",
                            request.width / 120, 1 - row / 1000)


@pytest.fixture
def sky(jpegs):
    return Sky(jpegs)


@pytest.fixture
def positions():
    return Table({"ra": np.arange(N) / 100, "dec": np.ones(N)})


TRANSIENT = {5: MorphFlag.SERVER_ERROR, 130: MorphFlag.TIMED_OUT, 131: MorphFlag.UNREADABLE,
             300: MorphFlag.NOT_CACHED | MorphFlag.MISSING_FILE}


def test_transient_failures_are_tried_again(clf, sky, positions, tmp_path):
    """In a run that was interrupted, then in one that had ended; nothing else is asked for."""
    options = {"services": sky, "width": 30 * u.arcsec, "provenance": True, "progress": False}
    lost = {7: FetchError("not there", MorphFlag.OUTSIDE_FOOTPRINT)}
    sky.errors = lost
    whole = clf.classify(positions, **options)
    sky.errors = lost | {row: FetchError("down", flag) for row, flag in TRANSIENT.items()}
    sky.errors[N - 1] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        clf.classify(positions, checkpoint=tmp_path, **options)
    saved = len(parts(tmp_path)) * PART
    sky.errors.pop(N - 1), sky.errors.pop(130)
    sky.asked.clear()
    result = clf.classify(positions, checkpoint=tmp_path, **options)
    again = {row for row in TRANSIENT if row < saved}
    assert sorted(sky.asked) == sorted(again | set(range(saved, N)))
    assert np.flatnonzero(result["P_disk"].mask).tolist() == [5, 7, 131, 300]
    assert result["cutout_url"][130] == "https://archive/130" and result["cutout_url"][5] == ""
    sky.errors = lost
    sky.asked.clear()
    assert same(clf.classify(positions, checkpoint=tmp_path, **options), whole, date=False)
    assert sorted(sky.asked) == [5, 131, 300]
    sky.asked.clear()
    assert same(clf.classify(positions, checkpoint=tmp_path, **options), whole, date=False)
    assert sky.asked == []


def test_offline_first(clf, sky, positions, tmp_path):
    """What the cache lacks is flagged, and got when the same call may ask for it."""
    sky.local = False
    options = {"services": sky, "width": 30 * u.arcsec, "cache": tmp_path / "cache"}
    first = clf.classify(positions[:3], checkpoint=tmp_path / "run", offline=True, **options)
    assert first["morph_flag"].tolist() == [MorphFlag.NOT_CACHED] * 3 and not sky.asked
    assert not clf.classify(positions[:3], checkpoint=tmp_path / "run", **options)["P_bar"].mask[0]


# What is refused


def refused(clf, folder, data, *names, **options):
    """A call that must not go on from a folder, with the differences named."""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match="the folder of this run.*a run with other") as error:
        clf.classify(data, checkpoint=folder, progress=False, **options)
    told = str(error.value)
    assert all(f"{name} (" in told for name in names) and told.count(" there, ") == len(names)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.fixture
def begun(clf, jpegs, loads, tmp_path):
    clf.classify(jpegs[:2], checkpoint=tmp_path / "run", progress=False)
    loads.clear()
    yield tmp_path / "run"
    assert loads == []


@pytest.mark.parametrize("names, options", [
    (["cutout_r90"], {"cutout_r90": 8.0}), (["r90"], {"r90": "measure"}),
    (["r90"], {"r90": 5 * u.arcsec}), (["uncertainty"], {"uncertainty": "views"}),
    (["batch_size"], {"batch_size": 64}), (["survey"], {"survey": "legacy"}),
    (["bands"], {"bands": "gri"})])
def test_other_options(clf, jpegs, begun, names, options):
    refused(clf, begun, jpegs[:2], *names, **options)


def test_other_precision(clf, jpegs, tmp_path):
    clf.classify(jpegs[:2], checkpoint=tmp_path, precision="float32")
    refused(clf, tmp_path, jpegs[:2], "precision", precision="bfloat16")


def test_other_images(clf, jpegs, begun):
    refused(clf, begun, jpegs[1::-1], "images")
    refused(clf, begun, jpegs[:3], "rows", "images")
    refused(clf, begun, [path.read_bytes() for path in jpegs[:2]], "images")


def test_other_weights(clf, jpegs, begun):
    model = clf.model
    shifted = {key: scaling.shifted(0.5, 0.6) for key, scaling in model.card.calibration.items()}
    levels = np.tile(LEVELS, (3, 1))
    alignment = Alignment(levels, levels, model.size, 0.0, 30, "des")
    arrays = {name: array + np.float16(1e-3) for name, array in model.arrays.items()}
    for changed, name in (({"arrays": arrays}, "weights"), ({"calibration": shifted},
                          "calibration"), ({"survey": get_survey("legacy")}, "weights_survey"),
                          ({"alignment": alignment}, "alignment"),
                          ({"frame_r90": 5.0}, "frame_r90"), ({"domain": None}, "domain")):
        refused(MorphologyClassifier(model.replace(**changed)), begun, jpegs[:2], name)


def test_other_version(clf, jpegs, begun, monkeypatch):
    monkeypatch.setattr("astromorph.__version__", "99")
    refused(clf, begun, jpegs[:2], "astromorph")


def test_other_positions(clf, sky, positions, tmp_path):
    options, few = {"services": sky, "width": 30 * u.arcsec}, positions[:2]
    few["name"], few["other"] = ["a", "b"], ["b", "a"]
    options["ids"] = "name"
    clf.classify(few, checkpoint=tmp_path, progress=False, **options)
    sky.asked.clear()
    moved = few.copy()
    moved["dec"][1] += 1e-9
    refused(clf, tmp_path, moved, "positions", **options)
    refused(clf, tmp_path, few, "ids", **options | {"ids": "other"})
    refused(clf, tmp_path, few, "width", "r90", **options | {"width": 31 * u.arcsec})
    refused(clf, tmp_path, few, "r90", **options | {"r90": 31 * u.arcsec})
    refused(clf, tmp_path, few, "pixels", pixels=100, **options)
    refused(clf, tmp_path, few, "provenance", provenance=True, **options)
    refused(clf, tmp_path, few, "services", **options | {"services": "skyserver"})
    refused(clf, tmp_path, few, "survey", "bands", survey="legacy", **options)
    assert sky.asked == []


def test_what_makes_no_difference(clf, jpegs, begun):
    table = clf.classify(Table({"id": [7, 8], "file": [str(path) for path in jpegs[:2]]}),
                         images="file", checkpoint=begun, threads=3, joint=True, progress=False,
                         batch_size=np.int64(128))
    assert table["id"].tolist() == [7, 8] and "P_bar_joint" in table.colnames


def test_weights_from_a_file(clf, jpegs, loads, tmp_path):
    """Written and read between two calls."""
    labels = np.arange(36).reshape(12, 3) % 2
    mine = clf.calibrate(jpegs * 3, np.tile(labels, (3, 1)), progress=False)
    mine.classify(jpegs, checkpoint=tmp_path / "run", progress=False)
    mine.write(tmp_path / "mine.safetensors")
    loads.clear()
    MorphologyClassifier.read(tmp_path / "mine.safetensors").classify(
        jpegs, checkpoint=tmp_path / "run", progress=False)
    assert loads == []


def test_folder_in_use(clf, jpegs, begun):
    code = ("import sys; from filelock import FileLock\n"
            "with FileLock(sys.argv[1]):\n    print('held', flush=True); sys.stdin.read()")
    with subprocess.Popen([sys.executable, "-c", code, begun / "lock"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match=f"another process uses {begun}"):
            clf.classify(jpegs[:2], checkpoint=begun)
        other.kill()
    assert len(clf.classify(jpegs[:2], checkpoint=begun)) == 2


def test_folder_in_use_by_a_thread(begun, clf, jpegs):
    with FileLock(begun / "lock"), pytest.raises(BlockingIOError, match="Wait for it, stop it"):
        clf.classify(jpegs[:2], checkpoint=begun)


# The folder


def results(n=2 * PART + 9):
    """Rows as they might be: answers, NaN, flags, some without an image."""
    rng, made = np.random.default_rng(1), Results(n, 2)
    made.answers[:] = rng.random((n, 2))
    made.answers[::7] = np.nan
    made.flags[:] = rng.integers(0, 2**20, n)
    made.provenance = [None if k % 7 == 0 else (f"service{k}", "", k / 3 if k % 2 else np.nan)
                    for k in range(n)]
    return made


def opened(folder, run="a"):
    return Checkpoint(folder, {"weights": run}, answers=["P_disk", "P_bar"], date="2026",
                      provenance={"cutout_service": str, "cutout_url": str, "cutout_scale": float})


def save(folder, made):
    with opened(folder) as checkpoint:
        for stop in (*range(PART, len(made), PART), len(made)):
            checkpoint.save(made, stop)


def restored(folder, n=2 * PART + 9):
    back = Results(n, 2)
    with warnings.catch_warnings(record=True) as said, opened(folder) as checkpoint:
        warnings.simplefilter("always")
        checkpoint.restore(back)
    return back, [str(each.message) for each in said]


def test_parts_hold_everything(tmp_path):
    made = results()
    save(tmp_path, made)
    assert parts(tmp_path) == [f"part-{start:09d}.parquet" for start in (0, PART, 2 * PART)]
    back, messages = restored(tmp_path)
    assert back.answers.tobytes() == made.answers.tobytes() and messages == []
    assert back.flags.tobytes() == made.flags.tobytes() and back.done.all()
    empty = ("", "", np.nan)
    assert repr(back.provenance) == repr([source or empty for source in made.provenance])
    table = pq.read_table(tmp_path / parts(tmp_path)[1])
    assert table.column_names == ["row", "P_disk", "P_bar", "morph_flag", "cutout_service",
                                  "cutout_url", "cutout_scale"]
    assert table["row"].to_pylist() == list(range(PART, 2 * PART))


def test_save_writes_a_part_when_it_is_complete(tmp_path):
    made = results()
    with opened(tmp_path) as checkpoint:
        for stop in (1, PART - 1, PART + 1, len(made) - 1):
            checkpoint.save(made, stop)
        assert parts(tmp_path) == []
        made.done[:PART] = True
        for stop in (PART, 2 * PART, len(made)):
            checkpoint.save(made, stop)
    assert len(parts(tmp_path)) == 2


def damages(data):
    yield b""
    yield from (data[:n] for n in (1, 4, 1000, len(data) - 1))
    yield bytes(len(data))
    yield data[:len(data) // 2] + bytes(len(data) - len(data) // 2)
    yield b"no Parquet"
    for place in np.random.default_rng(2).integers(len(data), size=40):
        yield data[:place] + bytes([data[place] ^ 0xff]) + data[place + 1:]


def test_damaged_parts_are_not_trusted(tmp_path):
    """Cut short, zeroed, or with any byte flipped, unless nothing depends on that one."""
    made = results()
    save(tmp_path, made)
    path = tmp_path / parts(tmp_path)[1]
    rejected = 0
    for data in damages(path.read_bytes()):
        path.write_bytes(data)
        back, messages = restored(tmp_path)
        if back.done.all():
            assert back.answers.tobytes() == made.answers.tobytes() and messages == []
            continue
        rejected += 1
        assert back.todo().tolist() == list(range(PART, 2 * PART))
        assert messages == [f"checkpoint: {path} is damaged. astromorph classifies its rows again."]
        assert np.isnan(back.answers[PART:2 * PART]).all() and not any(back.flags[back.todo()])
    assert rejected > 40


def test_parts_of_others_are_not_trusted(tmp_path):
    made = results()
    save(tmp_path / "run", made)
    first, second, last = (tmp_path / "run" / name for name in parts(tmp_path / "run"))
    second.write_bytes(first.read_bytes())
    with opened(tmp_path / "other", "b") as other:
        other.save(made, len(made))
    last.write_bytes((tmp_path / "other" / last.name).read_bytes())
    back, messages = restored(tmp_path / "run")
    assert back.todo().tolist() == list(range(PART, len(made))) and len(messages) == 2


def test_damaged_part_is_classified_again(clf, galaxies, loads, tmp_path):
    first = clf.classify(galaxies, checkpoint=tmp_path, progress=False)
    path = tmp_path / parts(tmp_path)[2]
    path.write_bytes(path.read_bytes()[:700])
    loads.clear()
    assert same(clf.classify(galaxies, checkpoint=tmp_path, progress=False), first)
    assert sorted(loads) == sorted(galaxies[2 * PART:3 * PART])
    loads.clear()
    assert same(clf.classify(galaxies, checkpoint=tmp_path, progress=False), first)
    assert loads == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"begun": "2026", "run": 3}', '{"begun'])
def test_damaged_manifest(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match="manifest.json is damaged or not from astromorph"):
        opened(tmp_path).__enter__()


@pytest.mark.parametrize("name", ["manifest.json", "part-000000000.parquet"])
def test_what_is_no_file_is_not_opened(tmp_path, name):
    save(tmp_path / "run", results())
    path = tmp_path / "run" / name
    path.unlink()
    os.mkfifo(path)  # who opens it waits for ever
    if name == "manifest.json":
        with pytest.raises(ValueError, match="damaged or not from astromorph"):
            opened(tmp_path / "run").__enter__()
    else:
        back, messages = restored(tmp_path / "run")
        assert "damaged" in messages[0] and not back.done[:PART].any()
    assert path.is_fifo()


@pytest.mark.parametrize("text", ['{"begun": 5, "run": {}}', "[" * 200_000,
                                  '{"begun": "x", "run": {"a": "' + 2 ** 20 * "b" + '"}}'])
def test_manifests_of_others(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match="damaged or not from astromorph"):
        opened(tmp_path).__enter__()
    assert os.listdir(tmp_path) == ["manifest.json"]


def test_a_refused_folder_stays_as_it_is(tmp_path):
    for name in (".notes.tmp", ".abcdefgh.part-x", "text.txt"):
        (tmp_path / name).write_text("mine")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ValueError, match="new or empty folder"):
        opened(tmp_path).__enter__()
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("column, value", [(1, 7e9), (1, -0.1), (1, None), ("morph_flag", 1 << 30)])
def test_what_no_run_can_have_written_is_done_again(tmp_path, column, value):
    save(tmp_path / "run", results())
    path = tmp_path / "run" / parts(tmp_path / "run")[0]
    table = pq.read_table(path)
    field = table.schema.field(column)
    values = table[field.name].to_pylist()
    values[3] = value
    pq.write_table(table.set_column(table.schema.get_field_index(field.name), field,
                                    pa.array(values, field.type)), path, write_page_checksum=True)
    back, messages = restored(tmp_path / "run")
    assert "damaged" in messages[0] and not back.done[:PART].any()


def test_folders_of_something_else(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="expected a new or empty folder.*'thesis.tex'"):
        opened(tmp_path).__enter__()
    with pytest.raises(ValueError, match="expected a folder. Received the file"):
        opened(tmp_path / "thesis.tex").__enter__()
    with pytest.raises(TypeError, match="checkpoint: expected the path of a folder.*True"):
        opened(True)


def test_killed_before_the_manifest(tmp_path):
    for name in ("lock", ".01234567.part-x"):
        (tmp_path / name).touch()
    with opened(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) in (
            ["lock", "manifest.json"], ["manifest.json"])


def test_full_disk(clf, galaxies, loads, tmp_path, monkeypatch):
    """The third part cannot be written: the first two stay, and the run goes on from them."""
    write = module.write_file

    def full(path, data, **options):
        if path.name.startswith("part") and len(parts(tmp_path)) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data, **options)

    monkeypatch.setattr(module, "write_file", full)
    with pytest.raises(OSError, match=f"cannot write to {tmp_path} .No space left") as error:
        clf.classify(galaxies, checkpoint=tmp_path, progress=False)
    assert error.value.errno == errno.ENOSPC and len(parts(tmp_path)) == 2
    monkeypatch.setattr(module, "write_file", write)
    loads.clear()
    clf.classify(galaxies, checkpoint=tmp_path, progress=False)
    assert sorted(loads) == sorted(galaxies[2 * PART:])


def test_folder_that_cannot_be_made(clf, jpegs, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="checkpoint: cannot write to .*file/run"):
        clf.classify(jpegs[:1], checkpoint=tmp_path / "file" / "run")


def test_no_locks(tmp_path, monkeypatch):
    def acquire(*args, **options):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with pytest.warns(AstromorphWarning, match="cannot be locked"), opened(tmp_path):
        pass


# Another process


CHILD = processes.NO_TENSORFLOW + """
import time
from astromorph import MorphologyClassifier
from astromorph.galaxies.given import GivenImages
from astromorph.running import checkpoint

load = GivenImages.load

def slow(self, row, *args):
    time.sleep(0.003)
    print(row[0], file=log, flush=True)
    return load(self, row, *args)

GivenImages.load, checkpoint.PART_ROWS = slow, 128
folder, output = sys.argv[1:]
with open(output + ".log", "a") as log:
    table = MorphologyClassifier.from_pretrained("sdss").classify(
        sys.stdin.read().split(), checkpoint=folder, progress=False, threads=1)
table.meta.pop("MORPHDAT")
table.write(output, format="ascii.ecsv")
"""


def run_child(names, folder, output, kill_after=None):
    """Classify in another process, which is killed some time after a further part is there."""
    known = len(parts(folder))
    with subprocess.Popen([sys.executable, "-c", CHILD, folder, output], stdin=subprocess.PIPE,
                          text=True) as child:
        child.stdin.write("\n".join(names))
        child.stdin.close()
        if kill_after is not None:
            while len(parts(folder)) == known and child.poll() is None:
                time.sleep(0.005)
            time.sleep(kill_after)
            child.kill()
    return child.returncode


@pytest.mark.slow
def test_killed_process(galaxies, tmp_path):
    """SIGKILL twice at random moments: the same table, and hardly anything done twice."""
    names, folder, output = [str(name) for name in galaxies], tmp_path / "run", tmp_path / "out"
    assert run_child(names, tmp_path / "whole", tmp_path / "expected") == 0
    kills = np.random.default_rng().uniform(0, 0.15, 2)
    saved = []
    for kill_after in kills:
        saved.append(len(parts(folder)))
        if run_child(names, folder, output, kill_after) == 0:
            break  # the last kill came too late
        assert not output.exists()
    else:
        assert run_child(names, folder, output) == 0
    assert saved == sorted(set(saved)) and len(saved) > 1
    assert output.read_bytes() == (tmp_path / "expected").read_bytes()
    loaded = Counter((tmp_path / "out.log").read_text().split())
    assert set(loaded) == set(names)
    assert loaded.total() <= N + len(kills) * (PART + GivenImages.prefetch + GivenImages.chunk)


# Same rows to the bit, whoever shares their batch


@pytest.mark.parametrize("errors", [None, "dropout"])
def test_an_answer_does_not_depend_on_the_others(clf, jpegs, errors):
    frames = np.stack(normalize_bands(np.stack([
        GivenImages([path]).load((path, None, None, None), clf.model.size, clf.frame_r90).pixels
        for path in jpegs])))
    model = clf.model
    whole = model.answer if errors is None else partial(model.answer_with_spread, errors)
    batch = np.resize(frames, (128, *frames.shape[1:]))
    alone = np.zeros_like(batch)
    alone[77] = batch[77]
    assert (whole(batch, batch_size=128)[77].tobytes()
            == whole(alone, batch_size=128)[77].tobytes())
