"""Unusual images are flagged, galaxies are not, and another survey is noticed as a whole."""
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astromorph import MorphFlag, MorphologyClassifier
from astromorph.datasets import load_sample
from astromorph.errors import AstromorphWarning
from astromorph.model.domain import STATISTICS, DomainWatch, image_statistics, measure_domain
from astromorph.images import normalize_bands

SAMPLE = list(load_sample()["file"])
NETWORKS = ("pinwheel", "ds18")


def galaxy(rng, size=96, noise=2.0, sky=5.0):
    """An exponential disk on a noisy sky."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    scale, ratio = rng.uniform(0.1, 0.14) * size, rng.uniform(0.4, 1)
    disk = 200 * np.exp(-np.hypot(x, y / ratio) / scale)
    return normalize_bands((disk[..., None] + sky + rng.normal(0, noise, (size, size, 3))).clip(0))


def unusual(kind, size, rng):
    """What a folder of cutouts may hold besides galaxies."""
    y, x = np.indices((size, size))
    if kind == "noise":
        return rng.integers(0, 256, (size, size, 3))
    if kind == "almost blank":
        return rng.normal(20, 2, (size, size, 3)).clip(0)
    if kind == "page of text":
        page = np.where((y % 8 < 5) & (rng.random((size, size)) < 0.45), 20, 250)
        return page[..., None] * [1, 1, 1]
    if kind == "ramp":
        return (x + y)[..., None] * [1, 1, 1]
    if kind == "stars":
        frame = rng.normal(10, 2, (size, size))
        for at_y, at_x in rng.uniform(0, size, (40, 2)):
            frame += rng.uniform(20, 200) * np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / 4)
        return frame.clip(0, 255)[..., None] * [1, 1, 1]
    return 1 - galaxy(rng, size)  # a negative


@pytest.mark.parametrize("kind", ["noise", "almost blank", "page of text", "ramp", "stars",
                                  "negative"])
def test_nonsense_is_unusual(any_classifier, kind):
    card, rng = any_classifier.card, np.random.default_rng(0)
    watch = DomainWatch(card["domain"])
    flags = watch.look(normalize_bands(np.stack([unusual(kind, card["size"], rng)
                                                 for _ in range(20)])))
    assert sum(flag == MorphFlag.UNUSUAL for flag in flags) >= 18
    assert watch.complaint().endswith("of 20 images differ from")


def test_simulated_galaxies_are_usual(any_classifier):
    sizes = [fits.getheader(path)["PETROR90"] for path in SAMPLE]
    table = any_classifier.classify(Table({"file": SAMPLE, "r90": sizes}, units={"r90": "arcsec"}),
                                    images="file", r90="r90", batch_size=16)
    assert (table["morph_flag"] == 0).all()


@pytest.mark.parametrize("change, statistic", [
    (lambda x: x + 0.1, "sky"), (lambda x: np.roll(x, 48, axis=0), "center"),
    (lambda x: x[..., [0, 0, 0]] * [1.5, 1, 1], "red_excess"),
    (lambda x: x[..., [0, 0, 0]] * [1, 1, 1.5], "blue_excess")])
def test_statistics_mean_what_they_say(change, statistic):
    image = galaxy(np.random.default_rng(0), noise=1)
    at = STATISTICS.index(statistic)
    before, after = image_statistics(image)[at], image_statistics(change(image))[at]
    assert abs(after - before) > 0.03
    assert (after > before) == (statistic != "center")


def test_noise_is_measured_in_the_sky():
    at = STATISTICS.index("sky_noise")
    low, high = (np.mean([image_statistics(galaxy(np.random.default_rng(seed), noise=noise))[at]
                          for seed in range(5)]) for noise in (1, 3))
    assert 2 < high / low < 4


def test_domain_of_images_holds_them():
    rng = np.random.default_rng(3)
    images = [galaxy(rng) for _ in range(60)]
    domain = measure_domain(images)
    assert set(domain) == set(STATISTICS)
    assert all(sorted(limits) == limits for limits in domain.values())
    watch = DomainWatch(domain)
    assert set(watch.look(np.stack(images))) == {MorphFlag(0)}
    assert watch.complaint() == ""


def noisy_watch(n, noise):
    rng = np.random.default_rng(4)
    # A few noisy images among the training ones: none of the others is out of range.
    domain = measure_domain([galaxy(rng, noise=2 if k % 20 else 8) for k in range(200)])
    watch = DomainWatch(domain)
    for _ in range(n):
        watch.look(galaxy(rng, noise=noise)[None])
    return watch


def test_a_set_is_unlike_though_no_image_is():
    text = noisy_watch(40, 4).complaint()
    assert "taken together" in text and "40 images" in text and "above" in text
    assert noisy_watch(40, 2).complaint() == ""
    assert noisy_watch(20, 4).complaint() == ""  # too few to tell


def test_aligned_sets_are_not_compared_as_a_whole():
    rng = np.random.default_rng(6)
    domain = measure_domain([galaxy(rng, noise=2 if k % 20 else 8) for k in range(200)])
    watches = [DomainWatch(domain, whole=whole) for whole in (True, False)]
    for watch in watches:
        for _ in range(40):
            watch.look(galaxy(rng, noise=4)[None])
    assert watches[0].complaint() and not watches[1].complaint()


def test_no_domain_no_flag():
    watch = DomainWatch(None)
    assert watch.look(np.ones((1, 96, 96, 3))) == [MorphFlag(0)] and watch.complaint() == ""


def test_one_warning_names_the_remedies():
    classifier = MorphologyClassifier.from_pretrained("sdss")
    rng = np.random.default_rng(5)
    with warnings.catch_warnings(record=True) as said:  # TensorFlow warns, too, on Python 3.13
        warnings.simplefilter("always")
        table = classifier.classify(list(rng.integers(0, 256, (6, 96, 96, 3), dtype=np.uint8)),
                                    cutout_r90=classifier.frame_r90)
    assert (table["morph_flag"] == MorphFlag.UNUSUAL).all() and not table["P_disk"].mask.any()
    text, = [str(each.message) for each in said if issubclass(each.category, AstromorphWarning)]
    assert "6 of 6 images differ from" in text
    assert (text.index("cutout_r90=") < text.index("r90=)") < text.index("(align)")
            < text.index("(adapt)"))


def real(folder, name, split, step):
    table = Table.read(folder / name / "labels.csv", format="csv")
    table = table[table["split"] == split][::step]
    table["file"] = [str(folder / name / file) for file in table["file"]]
    return table


def flags_and_messages(classifier, table, **options):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        flags = classifier.classify(table, images="file", **options)["morph_flag"]
    return flags, " ".join(str(each.message) for each in said)


@pytest.mark.parametrize("name", ["gz2", "efigi"])
def test_real_sdss_is_usual(real_data, classifier, name):
    flags, messages = flags_and_messages(classifier, real(real_data, name, "val", 3),
                                         cutout_r90="cutout_r90")
    assert (flags & MorphFlag.UNUSUAL > 0).mean() < 0.02 and "trained on" not in messages


@pytest.mark.slow
@pytest.mark.parametrize("frame", [{"cutout_r90": "cutout_r90"}, {"r90": "measure"}])
def test_real_decam_is_noticed(real_data, any_classifier, frame):
    _, messages = flags_and_messages(any_classifier, real(real_data, "decals", "train", 3), **frame)
    assert "trained on" in messages and "align" in messages
