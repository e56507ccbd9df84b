import json
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u

from astromorph.datasets import load_sample
from astromorph.galaxies.catalogs import CATALOGS
from astromorph.images import read_cutout
from astromorph.services import check_image_service
from astromorph.surveys import SURVEYS, Survey, get_survey


@pytest.mark.parametrize("survey", SURVEYS.values(), ids=lambda survey: survey.name)
def test_record_is_consistent(survey):
    assert set(survey.rgb) <= set(survey.scales) <= set(survey.bands)
    assert 0.1 * u.arcsec <= survey.pixel_scale < survey.psf_fwhm < 3 * u.arcsec
    # red needs the least brightening: galaxies are red
    assert sorted(survey.rgb, key=survey.scales.get) == list(survey.rgb)
    assert survey.sky_noise.to_value(u.nmgy) * max(survey.scales.values()) < 0.1


@pytest.mark.parametrize("survey", SURVEYS.values(), ids=lambda survey: survey.name)
def test_images_and_catalog_of_a_survey(survey):
    for service in survey.services:
        check_image_service(service, survey)
    assert survey.catalog is None or survey.catalog in CATALOGS
    assert survey.release and survey.camera
    assert all(name.startswith("CDS/P/") for name in survey.hips.values())
    low, high = survey.declinations
    assert -90 <= low < high <= 90 and 20 < survey.depth < 27
    assert set(survey.other_colors) | set(survey.releases) <= set(survey.services)


@pytest.mark.parametrize("name", ["sdss", "SDSS", " Sdss ", SURVEYS["sdss"]])
def test_get_survey(name):
    assert get_survey(name) is SURVEYS["sdss"]


@pytest.mark.parametrize("name", ["2mass", "", None, 3])
def test_unknown_survey_lists_the_known(name):
    with pytest.raises(ValueError, match="'sdss', 'legacy', 'des'"):
        get_survey(name)


@pytest.mark.parametrize("change, message", [
    ({"name": "my survey"}, "name: expected a short word. Received 'my survey'"),
    ({"name": ""}, "name: expected a short word"), ({"name": "s" * 40}, "name: expected"),
    ({"title": " "}, "title: expected text"), ({"title": 3}, "title: expected text"),
    ({"rgb": ("z", "r", "u")}, "rgb: expected one to three of the bands g, r, i, z, Y. Received"),
    ({"rgb": ("z", "r", "r")}, "rgb: expected one to three"), ({"rgb": ()}, "rgb: expected"),
    ({"rgb": ("z", "i", "r", "g")}, "rgb: expected one to three"),
    ({"rgb": "zrg"}, "rgb: expected"),
    ({"bands": ("g", "r", "z", "Z")}, "bands: expected a tuple of different names"),
    ({"bands": "grizY"}, "bands: expected a tuple"), ({"bands": ("g", 3)}, "bands: expected"),
    ({"bands": ("g", "r and z")}, "bands: expected a tuple of different names"),
    ({"pixel_scale": 0.2}, "pixel_scale: expected a positive angle.*Received 0.2"),
    ({"pixel_scale": 2 * u.pix}, "pixel_scale: expected a positive angle"),
    ({"pixel_scale": -0.2 * u.arcsec}, "pixel_scale: expected"),
    ({"pixel_scale": [1, 2] * u.arcsec}, "pixel_scale: expected"),
    ({"psf_fwhm": float("nan") * u.arcsec}, "psf_fwhm: expected"),
    ({"sky_noise": 0.1 * u.Jy}, "sky_noise: expected a positive flux in nanomaggies"),
    ({"scales": {"g": 1.0, "r": 1.0}}, "scales: expected the brightness of z, r, g. Received"),
    ({"scales": {"g": 1.0, "r": 1.0, "z": "3"}}, "scales: expected a dict of band to a positive"),
    ({"offset": None}, "offset: expected a number"),
    ({"softening": 0}, "softening: expected a positive number"),
    ({"depth": "deep"}, "depth: expected"), ({"release": None}, "release: expected text"),
    ({"declinations": (7, -70)}, "declinations: expected the lowest and the highest"),
    ({"declinations": (-70, 97)}, "declinations: expected"), ({"declinations": 7}, "declinations"),
    ({"services": "viewer"}, "services: expected a tuple of names"),
    ({"hips": {"g": None}}, "hips: expected a dict of identifiers"),
    ({"hips_zero_point": "none"}, "hips_zero_point: expected"), ({"layer": ""}, "layer: expected"),
    ({"camera": None}, "camera: expected text"), ({"reported": 3}, "reported: expected text")])
def test_wrong_records(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SURVEYS["des"], **change)


def test_lists_become_tuples_and_bands_have_any_names():
    survey = replace(SURVEYS["des"], bands=["F606W", "F814W", "NIR-H"], rgb=["F814W"], hips={},
                     scales={"F814W": 3.0})
    assert (survey.bands, survey.rgb) == (("F606W", "F814W", "NIR-H"), ("F814W",))


RECORD = """
name = "mine"
title = "My survey"
bands = ["VIS", "H"]
rgb = ["H", "VIS"]
pixel_scale = "0.1 arcsec"
psf_fwhm = "200 mas"
scales = {VIS = 9.0, H = 4.0}
offset = 0.02
softening = 20
sky_noise = "1e-3 nmgy"
declinations = [-30, 30.5]
services = ["viewer-fits"]
layer = "mine"
"""


def test_a_record_in_a_toml_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(RECORD, encoding="utf-8")
    survey = Survey.from_toml(path)
    assert survey.bands == ("VIS", "H") and survey.declinations == (-30, 30.5)
    assert survey.psf_fwhm == 0.2 * u.arcsec and survey.sky_noise == 1e-3 * u.nmgy
    assert Survey.from_json(json.loads(json.dumps(survey.to_json()))) == survey


@pytest.mark.parametrize("survey", SURVEYS.values(), ids=lambda survey: survey.name)
def test_records_go_through_toml(tmp_path, survey):
    odd = replace(survey, title='A "survey" of \\ and \x7f \u2603', psf_fwhm=survey.psf_fwhm / 3)
    for each in (survey, odd):
        (tmp_path / "it.toml").write_text(each.to_toml(), encoding="utf-8")
        assert Survey.from_toml(tmp_path / "it.toml") == each


@pytest.mark.parametrize("old, new, message", [
    ('"0.1 arcsec"', "0.1", "pixel_scale in .*mine.toml: expected a positive angle"),
    ('"0.1 arcsec"', '"0.1 arcsecs or so"', "pixel_scale in .*mine.toml: .*'0.1 arcsecs or so'"),
    ('rgb = ["H", "VIS"]', 'rgb = ["H", "Y"]', "rgb in .*mine.toml: expected one to three of"),
    ("offset", "ofset", "ofset in .*mine.toml: .*Did you mean offset"),
    ("offset = 0.02", "", "offset in .*mine.toml: expected a value, because it has no default"),
    ("offset = 0.02", "offset = ", "survey: expected a TOML file.*mine.toml, which is not one"),
    ("[-30, 30.5]", '["a", 3]', "declinations in .*mine.toml: expected the lowest"),
    ("My survey", "\udcff", "survey: expected a TOML file")])
def test_wrong_toml_names_file_and_field(tmp_path, old, new, message):
    path = tmp_path / "mine.toml"
    path.write_bytes(RECORD.replace(old, new).encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=message):
        Survey.from_toml(path)


def test_no_toml_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Survey.from_toml(tmp_path / "none.toml")


def test_records_of_older_cards():
    """The fields that came later are left out where they have their defaults."""
    bare = replace(SURVEYS["sdss"], releases={}, camera="", moc=None)
    assert list(bare.to_json()) == [
        "name", "title", "bands", "rgb", "pixel_scale", "psf_fwhm", "scales", "offset",
        "softening", "sky_noise", "release", "depth", "declinations", "services", "hips",
        "hips_zero_point", "layer", "sia", "catalog"]
    assert Survey.from_json(bare.to_json()) == bare
    fewer = bare.to_json() | {"bands": ["g", "r", "i"]}  # with scales and HiPS of all five
    assert Survey.from_json(fewer).bands == ("g", "r", "i")


def test_preview_draws_the_stretch():
    survey = SURVEYS["sdss"]
    ax = survey.preview(load_sample()["file"][0])
    red, green, blue = ax.lines
    assert [line.get_label() for line in ax.lines] == ["i", "r", "g"]
    flux, shown = green.get_data()
    light = survey.scales["r"] * flux + survey.offset
    np.testing.assert_allclose(shown, (np.arcsinh(20 * light) / 20**0.5).clip(0, 1))
    picture = ax.child_axes[0].images[0].get_array()
    np.testing.assert_array_equal(picture, read_cutout(load_sample()["file"][0],
                                                       survey="sdss").pixels)
    assert replace(survey, rgb=("r",)).preview(load_sample()["file"][0], ax=ax) is ax
    plt.close("all")


@pytest.mark.parametrize("survey", [
    *SURVEYS.values(), replace(SURVEYS["sdss"], name="own", catalog=None,
                               pixel_scale=0.1 * 3 * u.arcmin, psf_fwhm=1 / 3 * u.deg)],
    ids=lambda survey: survey.name)
def test_records_go_through_json(survey):
    again = Survey.from_json(json.loads(json.dumps(survey.to_json())))
    assert again == survey and again.to_json() == survey.to_json()
    assert type(again.bands) is tuple and again.pixel_scale.unit == survey.pixel_scale.unit
    again.scales[survey.rgb[0]] = -1.0
    assert survey.scales[survey.rgb[0]] > 0


@pytest.mark.parametrize("change", [{"colour": "red"}, {"pixel_scale": 3}, {"bands": None}])
def test_wrong_json(change):
    with pytest.raises(ValueError, match="record: expected the fields of a Survey"):
        Survey.from_json(SURVEYS["des"].to_json() | change)


def test_incomplete_json():
    with pytest.raises(ValueError, match="record: .* missing .* 'title'"):
        Survey.from_json({"name": "own"})
