"""HATS catalogs of LSDB: partitions, workers that die, runs that resume, extensions."""
import inspect
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from astropy_healpix import HEALPix
from PIL import Image

from astromorph import MorphFlag, MorphologyClassifier, networks, services
from astromorph.cutouts.cache import CutoutCache
from astromorph.datasets import load_sample
from astromorph.galaxies.given import GivenImages
from astromorph.images import read_cutout, resample
from astromorph.model.calibration import PlattScaling
from astromorph.partitions import KEEP_MEMORY, classify_partition, write_extension
from astromorph.services import LocalFolder, LocalHips
from loopback import LoopbackServer, Sky

lsdb = pytest.importorskip("lsdb")
dask = pytest.importorskip("dask")
pd = pytest.importorskip("pandas")
distributed = pytest.importorskip("distributed")

# LSDB 0.11 and nested-pandas with pandas 3.1.
pytestmark = [pytest.mark.filterwarnings("ignore:The inplace keyword in NestedFrame"),
              # An extension has no margin, and needs none: its rows are those of the catalog.
              pytest.mark.filterwarnings("ignore:Right catalog does not have a margin")]

N = 48
ARROW = {"float32": "float[pyarrow]", "int32": "int32[pyarrow]", "float64": "double[pyarrow]",
         "str": "string[pyarrow]"}
COLUMNS = ["P_disk", "P_edge_on", "P_bar"]
OPTIONS = {"images": "file", "cutout_r90": 4.24, "batch_size": 16}
UNFINISHED = """
import sys, time, dask, lsdb
from pathlib import Path
from astromorph import MorphologyClassifier
from astromorph.galaxies.given import GivenImages
{hold}
hold(*sys.argv[3:])
dask.config.set(scheduler="synchronous")
catalog = lsdb.open_catalog(sys.argv[1])
classifier = MorphologyClassifier.from_pretrained("sdss")
classifier.classify_catalog(catalog, images="file", cutout_r90=4.24, batch_size=16).write_catalog(
    sys.argv[2], progress_bar=False)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The catalog's folder: a collection with a margin, and the files of its galaxies."""
    folder = tmp_path_factory.mktemp("partitions")
    sample = load_sample()["file"]
    for k, path in enumerate(sample):
        pixels = resample(read_cutout(path, survey="sdss").pixels, 160)
        Image.fromarray(np.rint(255 * pixels).astype(np.uint8)).save(folder / f"{k}.jpg")
    k = np.arange(N)
    (folder / "named").mkdir()
    for number in k:
        (folder / "named" / f"g{number}.jpg").symlink_to(folder / f"{number % len(sample)}.jpg")
    paths = [str(folder / "named" / f"g{number}.jpg") for number in k]
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8 no more")
    frame = pd.DataFrame({
        "objid": 1000 + k, "RA": 180 + 5.0 * (k % 8), "DEC": 10 + 5.0 * (k // 8),
        "petroR90_r": 8.0, "radius": 8 / 60, "name": [f"g{number}" for number in k],
        "file": [None, "/nowhere.jpg", str(folder / "damaged.jpg"), *paths[3:]],
        "picture": [(folder / f"{number % len(sample)}.jpg").read_bytes() for number in k]})
    catalog = lsdb.from_dataframe(frame, catalog_name="toy", partition_rows=20, highest_order=3,
                                  margin_threshold=2 * 3600)
    catalog.write_catalog(folder / "toy", progress_bar=False)
    return folder


@pytest.fixture(scope="module")
def catalog(folder):
    return lsdb.open_catalog(folder / "toy")


@pytest.fixture(scope="module")
def table(catalog):
    """The same galaxies in the same order, for the plain run."""
    with dask.config.set(scheduler="synchronous"):
        frame = catalog.compute(progress_bar=False)
    table = Table({name: frame[name].tolist() for name in ("objid", "RA", "DEC", "petroR90_r",
                                                           "name")})
    table["file"] = frame["file"].fillna("").tolist()
    return table


@pytest.fixture(scope="module")
def plain(classifier, table):
    return classifier.classify(table, progress=False, **OPTIONS)


@pytest.fixture
def in_process():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def client(catalog, classifier):
    """Two worker processes, of one thread each, that have begun to work."""
    some = computed(catalog.partitions[0])
    with (dask.config.set({"distributed.worker.daemon": False} | KEEP_MEMORY),
          distributed.LocalCluster(n_workers=2, threads_per_worker=1,
                                   dashboard_address="127.0.0.1:0") as cluster,
          distributed.Client(cluster) as client):
        for started in [client.submit(classify_partition, some, classifier, workers=[name],
                                      pure=False, **OPTIONS) for name in client.nthreads()]:
            started.result()
        yield client


def computed(catalog):
    return catalog.compute(progress_bar=False)


def assert_equal(frame, table):
    """The same rows, flags, and probabilities, null where they are masked."""
    assert frame["objid"].tolist() == table["objid"].tolist()
    assert frame["morph_flag"].tolist() == table["morph_flag"].tolist()
    for name in COLUMNS:
        assert frame[name].isna().tolist() == np.ma.getmaskarray(table[name]).tolist()
        np.testing.assert_allclose(frame[name].to_numpy(float, na_value=np.nan),
                                   np.ma.filled(table[name].astype(float), np.nan), atol=1e-6)


def test_results_equal_the_plain_run(in_process, classifier, catalog, plain):
    result = classifier.classify_catalog(catalog, **OPTIONS)
    frame = computed(result)
    assert catalog.npartitions > 3 and len(frame) == N
    assert list(frame.columns) == [*catalog.columns, *COLUMNS, "morph_flag"]
    assert frame.index.tolist() == computed(catalog).index.tolist()
    assert_equal(frame, plain)
    missing, damaged = MorphFlag.MISSING_FILE, MorphFlag.UNREADABLE
    flags = dict(zip(frame["objid"], frame["morph_flag"]))
    assert [flags[1000 + k] for k in range(3)] == [missing, missing, damaged]
    assert frame["P_disk"].isna().sum() == 3
    assert result.hc_structure.catalog_info.model_extra["morphwgt"] == plain.meta["MORPHWGT"]


def test_answers_of_an_earlier_classification_do_not_stay(classifier, catalog):
    rows = catalog.compute(progress_bar=False).iloc[:4]
    first = classify_partition(rows, classifier, uncertainty="views", joint=True, **OPTIONS)
    again = classify_partition(first, classifier, questions=["disk"], **OPTIONS)
    assert list(again.columns) == [*rows.columns, "P_disk", "morph_flag"]
    assert list(classify_partition(first, classifier, **OPTIONS).columns) == [
        *rows.columns, *COLUMNS, "morph_flag"]


def test_no_rows_need_no_network(classifier, catalog):
    copy = pickle.loads(pickle.dumps(classifier))
    frame = classify_partition(catalog.meta, copy, uncertainty="views", joint=True, provenance=True,
                               width=5 * u.arcsec, ra="RA", dec="DEC")
    assert "_model" not in vars(copy)
    added = {name: str(kind) for name, kind in frame.dtypes.items() if name not in catalog.columns}
    assert added == (dict.fromkeys(
        [*COLUMNS, *(f"{name}_err" for name in COLUMNS), "P_edge_on_joint", "P_bar_joint"],
        ARROW["float32"]) | {"morph_flag": ARROW["int32"]} | dict.fromkeys(
        ["cutout_service", "cutout_url", "cutout_release", "cutout_bands"],
        ARROW["str"]) | dict.fromkeys(
        ["cutout_scale", "cutout_coverage"], ARROW["float64"]) | {"cutout_sha256": ARROW["str"]})
    assert list(frame.columns[:len(catalog.columns)]) == list(catalog.columns)


def test_pickled_classifiers(classifier, catalog, folder):
    copy = pickle.loads(pickle.dumps(classifier))
    image = [str(folder / "0.jpg")]
    assert np.array_equal(copy.predict(image), classifier.predict(image))
    assert copy.card == classifier.card
    other = MorphologyClassifier(classifier.model.replace(calibration=dict.fromkeys(
        classifier.model.card.keys, PlattScaling(2.0, 0.0))))
    same, different = (dask.tokenize.tokenize(one) for one in (copy, other))
    assert same == dask.tokenize.tokenize(classifier) != different
    cache = pickle.loads(pickle.dumps(CutoutCache(folder / "cache", max_size=1e6)))
    assert (cache.folder, cache.max_size) == (folder / "cache", 1e6)


@pytest.mark.parametrize("kind", ["bytes", "arrays"])
def test_image_columns(classifier, catalog, folder, kind):
    frame = computed(catalog.partitions[0])
    if kind == "arrays":
        pixels = [np.asarray(Image.open(folder / "named" / f"{name}.jpg")).tolist()
                  for name in frame["name"]]
        frame["picture"] = pd.arrays.ArrowExtensionArray(
            pytest.importorskip("pyarrow").array(pixels))
    result = classify_partition(frame, classifier, images="picture", batch_size=16)
    paths = [str(folder / "named" / f"{name}.jpg") for name in frame["name"]]
    expected = classifier.classify(paths, batch_size=16, progress=False)
    assert not np.isnan(result["P_disk"].to_numpy(float)).any()
    np.testing.assert_allclose(result["P_disk"].to_numpy(float), expected["P_disk"], atol=0.02)
    if kind == "bytes":
        assert result["P_disk"].tolist() == expected["P_disk"].tolist()


@pytest.mark.parametrize("options", [{}, {"pixel_scale": "scale"}])
def test_sizes_of_images_are_found(classifier, folder, options):
    """As in a table: R90 in arcseconds, with the scale of the image, else measured."""
    frame = pd.DataFrame({"file": [str(folder / "0.jpg"), str(folder / "1.jpg")],
                          "petroR90_r": [8.0, 12.0], "scale": [0.4, 0.4], "z": [0.1, 0.2]})
    frame = classify_partition(frame, classifier, images="file", units={"scale": "arcsec"},
                               **options)
    expected = classifier.classify(frame["file"].tolist(), **(
        {"r90": [8, 12] * u.arcsec, "pixel_scale": 0.4 * u.arcsec} if options else {}))
    assert frame["morph_flag"].tolist() == expected["morph_flag"].tolist()
    assert frame["P_disk"].tolist() == expected["P_disk"].tolist()


def test_a_local_folder(in_process, classifier, catalog, table, folder):
    options = {"services": LocalFolder(folder / "named", width=34 * u.arcsec), "ids": "name",
               "batch_size": 16}
    expected = classifier.classify(table, progress=False, **options)
    assert not expected["morph_flag"].astype(int).__and__(int(MorphFlag.UNCLASSIFIED)).any()
    assert_equal(computed(classifier.classify_catalog(catalog, **options)), expected)
    inexplicit = classifier.classify_catalog(catalog, r90="radius", units={"radius": u.arcmin},
                                             provenance=True, **options)
    frame = computed(inexplicit)
    assert_equal(frame, expected)
    assert set(frame["cutout_service"]) == {"local-folder"}
    assert (frame["cutout_coverage"] == 1).all()


def test_a_local_hips(in_process, classifier, catalog, table, folder):
    hips = folder / "hips"
    pixels = resample(np.asarray(Image.open(folder / "0.jpg"), np.float32) / 255, 256)
    hips.mkdir()
    (hips / "properties").write_text("hips_tile_format = png\nhips_frame = equatorial\n"
                                     "hips_order = 10\nhips_tile_width = 256\n")
    Image.fromarray(np.uint8(255 * pixels)).save(hips / "tile.png")
    for number in np.unique(HEALPix(2**10, "nested").lonlat_to_healpix(
            table["RA"] * u.deg, table["DEC"] * u.deg)):
        tile = hips / "Norder10" / f"Dir{number // 10000 * 10000}" / f"Npix{number}.png"
        tile.parent.mkdir(parents=True, exist_ok=True)
        tile.symlink_to(hips / "tile.png")
    options = {"services": LocalHips(hips), "batch_size": 16}
    expected = classifier.classify(table, progress=False, **options)
    assert len(set(np.ma.filled(expected["P_disk"], -1))) > 10
    assert_equal(computed(classifier.classify_catalog(catalog, **options)), expected)


def test_threads_take_turns(classifier, catalog, plain, monkeypatch):
    """One network, built once, whose answers are those of each row."""
    built = []
    build = networks.build
    monkeypatch.setattr(networks, "build", lambda *args: built.append(args) or build(*args))
    fresh = MorphologyClassifier(classifier.model.replace(base_rates={}))
    built.clear()
    result = pickle.loads(pickle.dumps(fresh)).classify_catalog(catalog, **OPTIONS)
    with dask.config.set(scheduler="threads", num_workers=4):
        assert_equal(computed(result), plain)
    assert len(built) <= 1


def test_copies_are_one_model(classifier):
    """Dask keeps the copy that comes with each partition: they share weights and network."""
    copies = [pickle.loads(pickle.dumps(classifier)) for _ in range(2)]
    assert copies[0].model is copies[1].model
    other = MorphologyClassifier(classifier.model.replace(frame_r90=5.0))
    assert pickle.loads(pickle.dumps(other)).model is not copies[0].model


def test_the_margin_is_left_out(in_process, classifier, catalog, monkeypatch):
    assert len(computed(catalog.margin)) > 0
    seen = []
    classify = MorphologyClassifier.classify
    monkeypatch.setattr(MorphologyClassifier, "classify", lambda self, data, **options: (
        seen.append(len(data)), classify(self, data, **options))[1])
    result = classifier.classify_catalog(catalog, **OPTIONS)
    assert result.margin is None and catalog.margin is not None
    computed(result)
    assert sum(seen) == N


@pytest.mark.slow
def test_workers_keep_memory(client):
    assert set(client.run(os.getenv, "MALLOC_TRIM_THRESHOLD_").values()) == {str(2**27)}


def ask(url):
    """Turn a worker to other services."""
    services.conf.viewer_url = url + "/viewer"


@pytest.mark.slow
def test_workers_share_what_services_are_asked(client, classifier, catalog, table, tmp_path):
    galaxies = [(row["RA"], row["DEC"], k % 12) for k, row in enumerate(table)]
    with LoopbackServer(Sky(galaxies)) as server:
        server.faults.set(latency=0.1)
        client.run(ask, server.url)
        result = classifier.classify_catalog(
            catalog, survey="legacy", services="viewer", cache=tmp_path, per_host=5, batch_size=16)
        frame = computed(result)
        assert server.stats.requests == N
        assert 2 < server.stats.most_simultaneous <= 4  # 5 // 2 for each
    assert not frame["P_disk"].isna().any()
    assert set(client.run(os.getenv, "TF_NUM_INTRAOP_THREADS").values()) == {"1"}
    with pytest.raises(ValueError, match="per_host, workers: .* 1 requests and 2"):
        classifier.classify_catalog(catalog, per_host=1)


def hold(path, held, reached):
    """Have this process wait at one image for as long as the file ``held`` is there."""
    load = GivenImages.load

    def waiting(self, item, *args):
        if str(item[0]) == str(path):
            Path(reached).touch()
            while Path(held).exists():
                time.sleep(0.02)
        return load(self, item, *args)

    GivenImages.load = waiting


@pytest.fixture
def signs(tmp_path):
    """The file that holds a process, and the one that tells that it waits."""
    held, reached = tmp_path / "held", tmp_path / "reached"
    held.touch()
    yield held, reached
    held.unlink(missing_ok=True)


def test_a_killed_worker_loses_nothing(client, classifier, catalog, table, plain, folder, signs):
    """It is killed while it waits at an image."""
    held, reached = signs
    client.run(hold, folder / "named" / "g40.jpg", held, reached)
    result = classifier.classify_catalog(catalog, **OPTIONS)
    pids = client.run(os.getpid)
    with ThreadPoolExecutor(1) as pool:
        frame = pool.submit(computed, result)
        try:
            _wait_for(reached.exists)
            _wait_for(lambda: sum(map(len, client.processing().values())) == 1)
            busy = next(name for name, keys in client.processing().items() if keys)
            os.kill(pids[busy], signal.SIGKILL)
        finally:
            held.unlink()
        assert_equal(frame.result(), plain)
    assert pids[busy] not in client.run(os.getpid).values()


@pytest.mark.slow
def test_a_killed_run_is_resumed(in_process, classifier, catalog, plain, folder, tmp_path,
                                 monkeypatch, signs):
    middle, out = computed(catalog.partitions[2])["file"].iloc[-1], tmp_path / "out"
    code = UNFINISHED.replace("{hold}", inspect.getsource(hold))
    with subprocess.Popen([sys.executable, "-c", code, folder / "toy", out, middle,
                           *signs]) as process:
        try:
            _wait_for(lambda: signs[1].exists() or process.poll() is not None)
        finally:
            process.kill()
    done = {path: path.stat().st_mtime_ns for path in out.rglob("Npix=*.parquet")}
    assert 0 < len(done) < catalog.npartitions
    seen = []
    classify = MorphologyClassifier.classify
    monkeypatch.setattr(MorphologyClassifier, "classify", lambda self, table, **options: (
        seen.append(1) if len(table) else None, classify(self, table, **options))[1])
    result = classifier.classify_catalog(catalog, **OPTIONS)
    result.write_catalog(out, resume=True, progress_bar=False)
    assert len(seen) == catalog.npartitions - len(done)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    opened = lsdb.open_catalog(out)
    assert_equal(computed(opened), plain)
    again = opened.map_partitions(failed)
    assert computed(classifier.classify_catalog(again, **OPTIONS))["objid"].tolist() == [1002]


def failed(rows):
    return rows[(rows["morph_flag"] & int(MorphFlag.UNREADABLE | MorphFlag.TIMED_OUT)) > 0]


def test_extensions(in_process, classifier, catalog, plain, folder, tmp_path, monkeypatch):
    result = classifier.classify_catalog(catalog, **OPTIONS)
    path = write_extension(result, tmp_path, on="objid", progress_bar=False)
    assert path == tmp_path / "morphology.properties"
    extended = catalog.load_extension(path)
    assert_equal(computed(extended), plain)
    assert list(extended.columns) == [*catalog.columns, *COLUMNS, "morph_flag"]
    assert f"hats_primary_table_url={folder / 'toy'}\n" in path.read_text()
    monkeypatch.chdir(folder)
    result = classifier.classify_catalog(lsdb.open_catalog("toy"), **OPTIONS)
    write_extension(result, "toy", on="objid", name="shapes", progress_bar=False)
    opened = lsdb.open_catalog("toy")
    assert_equal(computed(opened.load_extension("shapes")), plain)
    assert opened.margin is not None and "morphwgt" in (
        folder / "toy" / "shapes" / "hats.properties").read_text()


@pytest.mark.parametrize("on, message", [
    ("petroR90_r", "missing or repeated values"), ("file", "missing or repeated values"),
    ("number", "expected a catalog with new columns and 'number'")])
def test_extensions_need_an_identifier(in_process, classifier, catalog, tmp_path, on, message):
    result = catalog.map_partitions(lambda frame: frame.assign(P_disk=0.5))
    with pytest.raises((ValueError, RuntimeError), match=message):
        write_extension(result, tmp_path, on=on, progress_bar=False)
    assert not (tmp_path / "morphology.properties").exists()


def test_an_extension_of_nothing(in_process, catalog, tmp_path):
    with pytest.raises(ValueError, match="with new columns and 'objid'"):
        write_extension(catalog, tmp_path, on="objid")
    made = lsdb.from_dataframe(pd.DataFrame({"objid": [1], "ra": [1.0], "dec": [1.0]}),
                               margin_threshold=None)
    with pytest.raises(ValueError, match="Received one made in memory"):
        write_extension(made, tmp_path, on="objid")


@pytest.mark.parametrize("options, message", [
    ({"images": "image"}, "images: expected one of the catalog's columns.*'image'"),
    ({"r90": "radius"}, "r90: expected an angle"),
    ({"width": 3.0}, "width: expected an angle"),
    ({"uncertainty": "both"}, "uncertainty: expected one of None"),
    ({"checkpoint": "folder"}, r"checkpoint: expected none.*resume=True"),
    ({"batch_sise": 3}, "batch_sise.*Did you mean batch_size"),
    ({"workers": 0}, "workers"),
    ({"workers": 17}, "6 requests and 17 workers")])
def test_wrong_arguments_raise_at_once(classifier, catalog, options, message):
    with pytest.raises(ValueError, match=message):
        classifier.classify_catalog(catalog, **options)


def test_every_option_of_classify_is_taken(in_process, classifier, catalog, plain):
    taken = inspect.signature(MorphologyClassifier.classify).parameters
    options = {name: taken[name].default for name in taken if name not in ("self", "data", "fetch")}
    result = classifier.classify_catalog(catalog, **options | OPTIONS | {
        "progress": False, "threads": 1, "precision": "float32"}).compute()
    assert set(COLUMNS) <= set(result.columns) and len(result) == N


def test_other_catalogs_are_refused(classifier, table, monkeypatch):
    with pytest.raises(TypeError, match="expected a catalog of LSDB.* Received Table"):
        classifier.classify_catalog(table)
    monkeypatch.setitem(sys.modules, "lsdb.catalog", None)
    with pytest.raises(ImportError, match=r'"astromorph-galaxies\[lsdb\]"'):
        classifier.classify_catalog(table)


def _wait_for(condition):
    end = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
