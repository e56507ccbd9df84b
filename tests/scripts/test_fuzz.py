"""The fuzz job: what it makes is judged, and what is wrong is found and kept."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KINDS = {"images": ["--images", "40", "--first", "9"], "tables": ["--tables", "100"]}


@pytest.fixture
def fuzz_images(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fuzz_images

    return fuzz_images


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_some_inputs(kind, tmp_path):
    run = subprocess.run([sys.executable, BENCHMARKS / "fuzz.py", "--only", kind, *KINDS[kind],
                          "--seed", "3", "--keep", tmp_path], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{kind}: " in run.stdout and "0 violations" in run.stdout
    assert not list(tmp_path.iterdir())


def test_the_same_number_is_the_same_input(fuzz_images):
    one, other = (fuzz_images.Images(5) for _ in range(2))
    for n in range(20, 40):
        assert repr(one.make(n).source) == repr(other.make(n).source)
    one.folder.cleanup(), other.folder.cleanup()


def test_violations_are_found(fuzz_images, monkeypatch):
    images = fuzz_images.Images(1)
    each = next(each for each in map(images.make, range(9, 99)) if each.format == "jpeg 4:4:4"
                and fuzz_images.complaint_of(each.format, each.source))
    assert images.judge(each)[2] is None
    for answer, says in (((np.ones((32, 32, 3)), 0), "of an image: "), (KeyError("x"), "KeyError"),
                         ((np.full((32, 32, 3), np.nan), 0), "pixels")):
        def load(*args, answer=answer, **options):
            if isinstance(answer, Exception):
                raise answer
            return answer

        images.frame(each.whole, each.options)
        monkeypatch.setattr(fuzz_images, "load_frame", load)
        assert says in images.judge(each)[2]
    images.folder.cleanup()


@pytest.mark.parametrize("form", ["png RGB", "fits single", "jpeg 4:2:0"])
def test_whole_files_have_no_complaints(fuzz_images, form):
    data = dict(fuzz_images.originals(2))[form]
    assert fuzz_images.complaint_of(form, data) is None
    assert fuzz_images.complaint_of(form, data[:len(data) // 2]) is not None
