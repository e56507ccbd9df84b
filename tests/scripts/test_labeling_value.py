"""What `benchmarks/labeling_value.py` counts, without any galaxies."""
from pathlib import Path

import numpy as np
import pytest

from astromorph import QUESTIONS


@pytest.fixture(scope="module")
def value():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        import labeling_value

        yield labeling_value


def rights(p, n=100, seed=0):
    right = (np.random.default_rng(seed).random((n, 3)) < p).astype(float)
    right[:10, 2] = np.nan
    return right


def test_accuracies_are_means_of_the_sessions(value):
    found = {("none", 0): rights(0.8)} | {
        (how, seed): rights(p, seed=seed) for how, p in
        {"suggested": 0.95, "random 300": 0.9}.items() for seed in (0, 1)}
    rows = list(value.value_rows(found))
    assert [row[1] for row in rows] == [1, 2, 2, ""]
    assert [row[0] for row in rows] == ["none", "300 random", "150 suggested",
                                        "150 suggested minus 300 random"]
    mean = np.mean([found["suggested", seed][:, 0] for seed in (0, 1)])
    assert rows[2][2].startswith(f"{mean:.3f} (") and rows[3][2].startswith("+0.0")


def test_how_often_the_sealed_share_is_right(value):
    pairs = [(rights(0.9, 40, seed), rights(0.9, 120, 99)) for seed in range(40)]
    row = list(value.sealed_rows(pairs))[0]
    assert row[0] == "disk" and row[1] == "40" and row[4] == 120
    within, agree = (int(cell.split()[0]) for cell in row[-2:])
    assert 15 <= within <= agree <= 40
    far = [(rights(0.99, 40, seed), rights(0.5, 120, 99)) for seed in range(10)]
    assert list(value.sealed_rows(far))[0][-1] == "0 of 10"


def test_flips_are_found_where_the_network_knows(value):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).astype(float)
    seen = np.hstack([np.clip(labels[:, None] + rng.normal(0, 0.1, (200, 3)), 0.02, 0.98),
                      rng.normal(0, 1, (200, 10))])
    assert value.flips_found(seen, labels, QUESTIONS[1], 0) == 1


def test_a_scripted_session_says_what_is_known(value, tmp_path):
    labels = np.array([[1, np.nan, np.nan], [0, np.nan, np.nan]] * 5)
    with value.Scripted(labels, tmp_path / "j", 0) as session:
        session.label(session.upcoming(1)[0])
        entry, = session.done()
    assert entry["answers"] == {"disk": labels[entry["row"], 0]}
