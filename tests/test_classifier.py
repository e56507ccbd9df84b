"""`MorphologyClassifier` through its public API, on the embedded simulated galaxies."""
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from astromorph import MorphFlag, MorphologyClassifier, networks, read_cutout
from astromorph.datasets import load_sample
from astromorph.errors import AstromorphWarning, CutoutError
from astromorph.galaxies.given import GivenImages
from astromorph.running import run

COLUMNS = ["P_disk", "P_edge_on", "P_bar"]
SAMPLE = list(load_sample()["file"])
KINDS = np.array([fits.getheader(path)["MORPH"] for path in SAMPLE])


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory):
    """The sample as JPEG files, and their widths in R90."""
    folder = tmp_path_factory.mktemp("jpegs")
    paths, widths = [], []
    for number, path in enumerate(SAMPLE):
        cutout = read_cutout(path, survey="sdss")
        paths.append(str(folder / f"{number}.jpg"))
        Image.fromarray(np.rint(255 * cutout.pixels).astype(np.uint8)).save(
            paths[-1], quality=97)
        widths.append(min(cutout.pixels.shape[:2]) * cutout.pixel_scale
                      / fits.getheader(path)["PETROR90"])
    return paths, np.array(widths)


def answers(table):
    return np.stack([np.ma.filled(table[name].astype(float), np.nan) for name in COLUMNS], axis=1)


def sizes(paths):
    return [fits.getheader(path)["PETROR90"] for path in paths] * u.arcsec


def test_simulated_galaxies_look_like_what_they_are(any_classifier):
    result = any_classifier.classify(SAMPLE, r90=sizes(SAMPLE))
    disk, edge_on, bar = answers(result).T
    assert disk[KINDS != "smooth"].min() > disk[KINDS == "smooth"].max()
    assert edge_on[KINDS == "edge-on"].min() > edge_on[np.isin(KINDS, ["spiral", "barred"])].max()
    assert bar[KINDS == "barred"].min() > bar[KINDS == "spiral"].max()


def test_fits_and_pictures_give_the_same(classifier, jpegs):
    """FITS with a WCS and R90, and 8-bit pictures of the same galaxies with their width in R90."""
    _, widths = jpegs
    pictures = [_png(np.rint(255 * read_cutout(path, survey="sdss").pixels).astype(np.uint8))
                for path in SAMPLE]
    np.testing.assert_allclose(answers(classifier.classify(pictures, cutout_r90=widths)),
                               answers(classifier.classify(SAMPLE, r90=sizes(SAMPLE))), atol=0.03)


def test_files_arrays_and_predict_give_the_same(classifier, jpegs):
    paths, widths = jpegs
    from_files = answers(classifier.classify(paths, cutout_r90=widths))
    arrays = [np.asarray(Image.open(path)) for path in paths]
    np.testing.assert_allclose(answers(classifier.classify(arrays, cutout_r90=widths)), from_files,
                               atol=1e-6)
    np.testing.assert_allclose(classifier.predict(paths, cutout_r90=widths), from_files, atol=1e-6)


def test_table_is_copied_and_keeps_all(classifier, jpegs):
    paths, widths = jpegs
    table = QTable({"id": np.arange(len(paths))[::-1], "cutout": paths, "width": widths,
                    "z": MaskedColumn(np.ones(len(paths)), mask=np.arange(len(paths)) == 2)})
    table.meta["origin"] = "somewhere"
    before = table.copy()
    result = classifier.classify(table, images="cutout", cutout_r90="width")
    assert table.colnames == before.colnames and table.meta == before.meta
    assert result.colnames == before.colnames + COLUMNS + ["morph_flag"]
    assert isinstance(result, QTable) and result.meta["origin"] == "somewhere"
    np.testing.assert_array_equal(result["id"], before["id"])
    np.testing.assert_array_equal(result["z"].mask, before["z"].mask)
    assert result.meta["MORPHNET"] == "pinwheel" and result.meta["MORPHSRV"] == "sdss"
    assert classifier.card["sha256"].startswith(result.meta["MORPHWGT"])
    for name in COLUMNS:
        assert result[name].description and result[name].meta["ucd"].startswith("stat.probability")
        assert ((result[name] >= 0) & (result[name] <= 1)).all()
    np.testing.assert_array_equal(answers(result), answers(classifier.classify(
        paths, cutout_r90=widths)))


def test_table_from_a_fits_file(classifier, jpegs, tmp_path):
    """Its file names are byte strings."""
    paths, widths = jpegs
    Table({"cutout": paths[:2], "width": widths[:2]}).write(tmp_path / "cat.fits")
    result = classifier.classify(Table.read(tmp_path / "cat.fits"), images="cutout",
                                 cutout_r90="width")
    np.testing.assert_array_equal(answers(result), answers(classifier.classify(
        paths[:2], cutout_r90=widths[:2])))


@pytest.mark.parametrize("format", ["fits", "votable", "ascii.ecsv"])
def test_result_can_be_written(classifier, jpegs, tmp_path, format):
    paths, widths = jpegs
    result = classifier.classify([paths[0], "missing.jpg"], cutout_r90=widths[:2])
    result.write(tmp_path / "out", format=format)
    back = Table.read(tmp_path / "out", format=format)
    assert np.ma.getmaskarray(np.ma.masked_invalid(back["P_bar"])).tolist() == [False, True]
    assert back["morph_flag"].tolist() == [0, MorphFlag.MISSING_FILE]


def test_bad_rows_become_flags(classifier, jpegs, tmp_path, caplog):
    """1,000 files, 50 of them broken in six services: 950 probabilities, 50 flags, order kept."""
    paths, widths = jpegs
    good = [tmp_path / f"good{k}.jpg" for k in range(5)]
    for path, source in zip(good, paths):
        path.write_bytes(Path(source).read_bytes())
    data = good[0].read_bytes()
    bad = {"empty": (b"", MorphFlag.UNREADABLE),
           "truncated": (data[:len(data) // 2], MorphFlag.UNREADABLE),
           "text": (b"<html>no such layer</html>", MorphFlag.UNREADABLE),
           "zeros": (bytes(2000), MorphFlag.UNREADABLE),
           "shape": (_png(np.zeros((400, 3), np.uint8)), MorphFlag.BAD_SHAPE),
           "blank": (_png(np.zeros((64, 64, 3), np.uint8)), MorphFlag.BLANK)}
    for name, (content, _) in bad.items():
        (tmp_path / name).write_bytes(content)
    bad["missing"] = (None, MorphFlag.MISSING_FILE)
    kinds = list(bad)
    where = np.sort(np.random.default_rng(7).choice(1000, 50, replace=False))
    files = [good[k % 5] for k in range(1000)]
    for k, row in enumerate(where):
        files[row] = tmp_path / kinds[k % len(kinds)]
    result = classifier.classify(files, cutout_r90=np.resize(widths[:5], 1000), progress=False)
    assert len(result) == 1000 and result["file"].tolist() == [str(path) for path in files]
    for name in COLUMNS:
        np.testing.assert_array_equal(np.flatnonzero(result[name].mask), where)
    np.testing.assert_array_equal(np.flatnonzero(result["morph_flag"]), where)
    expected = [bad[kinds[k % len(kinds)]][1] for k in range(50)]
    assert result["morph_flag"][where].tolist() == expected
    alone = answers(classifier.classify(good, cutout_r90=widths[:5]))
    rows = np.setdiff1d(np.arange(1000), where)
    np.testing.assert_allclose(answers(result)[rows], alone[rows % 5], atol=1e-5)


def _png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def test_one_warning_counts_the_bad_rows(classifier, jpegs):
    with pytest.warns(AstromorphWarning) as said:
        classifier.classify([jpegs[0][0], "nowhere.jpg", "nor_here.jpg"])
    warning, = [str(each.message) for each in said]
    assert said[0].filename == __file__  # so that it points at the user's code
    assert warning.startswith("2 of 3 galaxies could not be classified (2 MISSING_FILE)")
    assert "row 1" in warning and "nowhere.jpg" in warning


def test_where_warnings_are_errors_the_table_is_kept(classifier, jpegs):
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstromorphWarning)
        with pytest.raises(AstromorphWarning, match="1 of 2 galaxies could not") as raised:
            classifier.classify([jpegs[0][0], "nowhere.jpg"])
        table = raised.value.result
        assert table["P_disk"].mask.tolist() == [False, True]
        with pytest.raises(AstromorphWarning) as raised:
            classifier.evaluate(["nowhere.jpg", jpegs[0][0]], np.eye(2, 3), intervals=False)
    assert raised.value.result["n"].tolist() == [1, 1, 1]


def test_predict_raises_on_a_bad_image(classifier):
    with pytest.raises(CutoutError, match="nowhere.jpg"):
        classifier.predict(["nowhere.jpg"])


@pytest.mark.parametrize("empty", [[], Table({"file": np.array([], dtype="U9")})])
def test_no_galaxies(classifier, empty):
    result = classifier.classify(empty, images="file" if isinstance(empty, Table) else None)
    assert len(result) == 0 and result.colnames[-4:] == COLUMNS + ["morph_flag"]
    assert classifier.predict([]).shape == (0, 3)


def test_measured_size_is_close_to_the_catalog(classifier, jpegs):
    paths, widths = jpegs
    given = answers(classifier.classify(paths, cutout_r90=widths))
    measured = answers(classifier.classify(paths, r90="measure"))
    assert np.median(np.abs(measured - given)) < 0.1


def test_frame_too_wide_is_flagged(classifier, jpegs):
    result = classifier.classify(jpegs[0][:1], cutout_r90=2.0)
    assert result["morph_flag"][0] == MorphFlag.PARTIAL_FRAME | MorphFlag.UNUSUAL
    assert not result["P_disk"].mask[0]


def test_size_without_wcs_is_flagged(classifier, jpegs):
    """R90 in arcseconds needs the scale of the image: else it is measured on it."""
    result = classifier.classify(jpegs[0][:1], r90=5 * u.arcsec)
    assert result["morph_flag"][0] == MorphFlag.NO_WCS | MorphFlag.MEASURED_SIZE
    np.testing.assert_array_equal(answers(result), answers(classifier.classify(
        jpegs[0][:1], r90="measure")))


@pytest.mark.parametrize("kind", [Table, QTable])
def test_masked_size_is_flagged(classifier, kind):
    """R90 that the catalog lacks is measured, in a Table and in a QTable."""
    table = kind({"file": SAMPLE[:2]})
    table["r90"] = MaskedColumn([5.0, 6.0], mask=[False, True], unit="arcsec")
    result = classifier.classify(kind(table), images="file", r90="r90")
    assert result["morph_flag"].tolist() == [0, MorphFlag.MEASURED_SIZE]


@pytest.mark.parametrize("data, options, message", [
    (Table({"file": ["a.jpg"]}), {}, "expected a table with positions, or images="),
    (Table({"ra": [1.0], "dec": [2.0]}), {}, "r90: expected a column with the sizes"),
    (Table({"ra": [1.0]}), {"images": "file"}, "images: expected the name of a column.*'file'"),
    (SkyCoord(1 * u.deg, 2 * u.deg), {}, "r90: expected a column with the sizes"),
    (["a.jpg"], {"width": 5 * u.arcsec}, "width: expected positions"),
    (["a.jpg"], {"images": "file"}, "images: expected no column without a table"),
    (["a.jpg"], {"cutout_r90": [1, 2]}, r"cutout_r90: expected one number or 1.*\(2,\)"),
    (["a.jpg"], {"cutout_r90": "width"}, "cutout_r90: .*'width'"),
    (["a.jpg"], {"r90": 5.0}, "r90: expected an angle"),
    (["a.jpg"], {"r90": 5 * u.kpc}, "r90: expected an angle.*kpc"),
    (["a.jpg"], {"r90": 5 * u.arcsec, "cutout_r90": 4}, "cutout_r90, r90: .*Received both"),
    (["a.jpg"], {"survey": "2mass"}, "survey"),
    (["a.jpg"], {"bands": "gg"}, "bands: expected different names"),
    (["a.jpg"], {"batch_size": 0}, "batch_size: expected a positive integer"),
    (["a.jpg"], {"threads": -1}, "threads: expected a positive integer"),
    (np.zeros((64, 64, 3)), {}, r"4 dimensions.*\(64, 64, 3\)"),
])
def test_wrong_arguments(classifier, data, options, message):
    with pytest.raises(ValueError, match=message):
        classifier.classify(data, **options)


@pytest.mark.parametrize("method, typed, meant", [
    ("classify", "image", "images"), ("classify", "batch_sise", "batch_size"),
    ("predict", "cutout_r9", "cutout_r90"), ("adapt", "epoch", "epochs"),
    ("suggest", "sed", "seed"), ("calibrate", "methods", "method"), ("align", "blurr", "blur"),
    ("evaluate", "treshold", "threshold"), ("evaluate", "joined", "joint"),
    ("classify", "epochs", None), ("suggest", "uncertainty", None)])
def test_misspelt_options(classifier, method, typed, meant):
    message = f"{typed}: expected a known option.*" + (f"Did you mean {meant}=" if meant else "")
    with pytest.raises(TypeError, match=message):
        getattr(classifier, method)(["a.jpg"], **{typed: 1})


def test_unknown_weights():
    with pytest.raises(ValueError, match="bundled weights, .*'sdss', with network 'ds18', "):
        MorphologyClassifier.from_pretrained("2mass")


@pytest.mark.parametrize("name", ["mine.safetensors", Path("folder/mine.safetensors"), "me/mine"])
def test_a_file_for_from_pretrained_is_told_where_to_go(name):
    with pytest.raises(ValueError, match="MorphologyClassifier.read reads a file.*hf://USER/NAME"):
        MorphologyClassifier.from_pretrained(name)


@pytest.mark.parametrize("network", ["pinwheel", "ds18"])
def test_decam_surveys_share_weights(network):
    sdss, legacy, des = (MorphologyClassifier.from_pretrained(survey, network=network)
                         for survey in ("SDSS", "legacy", "des"))
    assert (legacy.card["survey"], des.card["survey"]) == ("legacy", "des")
    assert legacy.card["sha256"] == des.card["sha256"] != sdss.card["sha256"]
    assert legacy.card["adapted"]["from"] == sdss.card["sha256"]
    assert legacy.card["adapted"]["galaxies"] == 866 and legacy.report is not None
    assert legacy.card["alignment"] and not legacy.card["adapted"]["interrupted"]


def test_write_and_read(any_classifier, tmp_path):
    path = tmp_path / "mine.safetensors"
    any_classifier.write(path)
    again = MorphologyClassifier.read(path)
    np.testing.assert_array_equal(again.predict(SAMPLE[:3], r90=sizes(SAMPLE[:3])),
                                  any_classifier.predict(SAMPLE[:3], r90=sizes(SAMPLE[:3])))
    assert again.card == any_classifier.card
    with pytest.raises(FileExistsError):
        any_classifier.write(path)


def test_card_is_a_copy(classifier):
    classifier.card["survey"] = "other"
    assert classifier.card["survey"] == "sdss"
    assert "pinwheel for sdss" in repr(classifier)


def test_evaluate(classifier, jpegs):
    paths, widths = jpegs
    labels = np.stack([KINDS != "smooth", np.where(KINDS == "smooth", np.nan, KINDS == "edge-on"),
                       np.where(np.isin(KINDS, ["spiral", "barred"]), KINDS == "barred", np.nan)],
                      axis=1).astype(float)
    table = Table({"file": paths, "width": widths, "disk": labels[:, 0], "edge_on": labels[:, 1],
                   "bar": labels[:, 2]})
    scored = classifier.evaluate(table, images="file", cutout_r90="width")
    assert scored["n"].tolist() == [12, 9, 6] and scored["n_positive"].tolist() == [9, 3, 3]
    assert scored["AUC"].tolist() == [1, 1, 1]
    by_array = classifier.evaluate(paths, labels, cutout_r90=widths)
    assert by_array["TPR"].tolist() == scored["TPR"].tolist()
    done = classifier.classify(table, images="file", cutout_r90="width")
    assert classifier.evaluate(done)["accuracy"].tolist() == scored["accuracy"].tolist()
    with pytest.raises(ValueError, match=r"labels: .*\['disk', 'edge_on', 'bar'\]"):
        classifier.evaluate(paths)


@pytest.mark.slow
def test_memory_does_not_hold_all_frames(classifier, jpegs, monkeypatch):
    """Frames are read a few chunks ahead of the network, never all of them."""
    loaded, answered, most, model = [0], [0], [0], classifier.model

    class Counting(GivenImages):
        def load(self, *args):
            loaded[0] += 1
            most[0] = max(most[0], loaded[0] - answered[0])
            return super().load(*args)

    def counted_answer(pixels, *, batch_size):
        answered[0] += len(pixels)
        return model.answer(pixels, batch_size=batch_size)

    run(Counting([jpegs[0][0]] * 1500), counted_answer, size=model.size, progress=False,
        frame_r90=model.frame_r90, prepare=model.prepare, watch=model.watch())
    assert answered[0] == 1500 and most[0] <= 3 * 128 + 16


def test_joint_probabilities_follow_the_tree(classifier, jpegs):
    table = classifier.classify([jpegs[0][0], "no such file", *jpegs[0][1:4]], joint=True,
                                progress=False)
    disk, edge_on, bar = (table[name] for name in ("P_disk", "P_edge_on", "P_bar"))
    assert_allclose(table["P_edge_on_joint"], disk * edge_on, rtol=1e-6)
    assert_allclose(table["P_bar_joint"], disk * (1 - edge_on) * bar, rtol=1e-6)
    assert table["P_bar_joint"].mask.tolist() == [False, True, False, False, False]
    assert "P_disk_joint" not in table.colnames
    assert "P_bar_joint" not in classifier.classify([jpegs[0][0]], progress=False).colnames


@pytest.mark.slow
def test_precision(classifier, jpegs, monkeypatch):
    """bfloat16 only where it was measured harmless and the processor has it, or on request."""
    paths = jpegs[0][:4]

    def probabilities(chosen, precision=None):
        table = chosen.classify(paths, precision=precision, progress=False)
        return np.array([table[name] for name in ("P_disk", "P_edge_on", "P_bar")])

    exact, low = probabilities(classifier, "float32"), probabilities(classifier, "bfloat16")
    assert 0 < np.abs(exact - low).max() < 0.03
    for change, native, expected in ((1e-3, True, low), (1e-3, False, exact), (4e-3, True, exact),
                                     (None, True, exact)):
        monkeypatch.setattr(networks, "has_bfloat16", lambda native=native: native)
        model = classifier.model.replace(bfloat16_change=change)
        assert_array_equal(probabilities(MorphologyClassifier(model)), expected)
    with pytest.raises(ValueError, match="precision: expected one of.*'half'"):
        classifier.classify(paths, precision="half")
