"""What a run does to the process, and whatever source of galaxies it is given."""
import threading
import warnings
from contextlib import ExitStack
from functools import partial

import numpy as np
import pytest
from astropy.table import Table
from threadpoolctl import threadpool_info

from astromorph import MorphFlag, MorphologyClassifier
from astromorph.datasets import load_sample
from astromorph.errors import AstromorphWarning, CutoutError
from astromorph.galaxies import GalaxySource, Loaded
from astromorph.galaxies.given import GivenImages
from astromorph.running import classify, predict, run
from astromorph.running.streaming import one_blas_thread


def blas_threads():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_concurrent_runs_give_blas_its_threads_back():
    """The first to begin ends before the second one, which began meanwhile."""
    before = blas_threads()
    with ExitStack() as first:
        first.enter_context(one_blas_thread())
        with one_blas_thread():
            first.close()
            assert blas_threads() == [1] * len(before)  # for the second one goes on
        assert blas_threads() == before
    assert blas_threads() == before


def test_concurrent_classify_calls_leave_blas_alone():
    clf, before = MorphologyClassifier.from_pretrained(), blas_threads()
    paths = list(load_sample()["file"])
    tables = [None] * 3

    def work(number):
        tables[number] = clf.classify(paths[:4 * (number + 1)], progress=False)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blas_threads() == before
    assert [len(table) for table in tables] == [4, 8, 12]
    np.testing.assert_array_equal(tables[0]["P_disk"], tables[2]["P_disk"][:4])


class Noise:
    """A source of one's own: noise, every third of which is not to be had."""

    provenance_columns = {"seed": (float, None, "Seed of the noise", "meta.id")}
    threads, prefetch, chunk, retryable = 2, 8, 4, MorphFlag(0)

    def __init__(self, n):
        self.table, self.entered = Table({"number": range(n)}), 0

    def __len__(self):
        return len(self.table)

    def __iter__(self):
        return iter(self.table["number"])

    def __enter__(self):
        self.entered += 1
        return self

    def __exit__(self, *exception):
        self.entered -= 1

    def load(self, item, size, frame_r90, margin):
        if item % 3 == 2:
            return Loaded.failed(CutoutError("none", MorphFlag.BLANK))
        rng, side = np.random.default_rng(item), size + 2 * margin
        return Loaded(rng.random((side, side, 3), np.float32), MorphFlag(0), (float(item),))

    def identity(self):
        return {"data": "noise", "rows": len(self)}


@pytest.fixture
def model():
    return MorphologyClassifier.from_pretrained().model


def test_a_source_of_ones_own(model, tmp_path):
    source = Noise(20)
    assert isinstance(source, GalaxySource) and isinstance(GivenImages([]), GalaxySource)
    with pytest.warns(AstromorphWarning, match="6 of 20 galaxies could not be classified"):
        table = classify(model, source, progress=False, checkpoint=tmp_path)
    assert source.entered == 0
    failed = np.arange(20) % 3 == 2
    assert (table["P_disk"].mask == failed).all()
    assert (table["morph_flag"] == MorphFlag.BLANK).tolist() == failed.tolist()
    assert np.array_equal(np.isnan(table["seed"]), failed)
    again = classify(model, Noise(20), progress=False, checkpoint=tmp_path)
    assert np.array_equal(again["P_bar"].filled(-1), table["P_bar"].filled(-1))


def test_predict_raises_the_error_of_a_row(model):
    with pytest.raises(CutoutError, match="none"):
        predict(model, Noise(3))
    assert predict(model, Noise(2)).shape == (2, 3)


def test_rows_stand_in_their_own_places(model):
    """Answers do not depend on which rows before them failed."""
    options = {"size": model.size, "frame_r90": model.frame_r90, "prepare": model.prepare,
               "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        few, many = (run(Noise(n), model.answer, watch=model.watch(), **options) for n in (5, 300))
    assert np.array_equal(few.answers, many.answers[:5], equal_nan=True)
    assert few.flags.tolist() == many.flags[:5].tolist()


def test_a_batch_is_no_larger_than_the_rows_that_come_together(model):
    run_of = partial(classify, model, GivenImages(load_sample()["file"][:2]), progress=False)
    assert (run_of(batch_size=10**9)["P_bar"] == run_of(batch_size=128)["P_bar"]).all()


def test_warnings_may_be_errors(model):
    """For those who want it: but only once all rows have been answered."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstromorphWarning)
        with pytest.raises(AstromorphWarning, match="could not be classified"):
            classify(model, Noise(3), progress=False)
