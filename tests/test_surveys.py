import json
from dataclasses import replace

import pytest
from astropy import units as u

from astromorph.galaxies.catalogs import CATALOGS
from astromorph.services import check_image_service
from astromorph.surveys import SURVEYS, Survey, get_survey


@pytest.mark.parametrize("survey", SURVEYS.values(), ids=lambda survey: survey.name)
def test_record_is_consistent(survey):
    assert set(survey.rgb) <= set(survey.scales) <= set(survey.bands)
    assert len(set(survey.rgb)) == 3
    assert 0.1 * u.arcsec < survey.pixel_scale < survey.psf_fwhm < 2 * u.arcsec
    # red needs the least brightening: galaxies are red
    assert sorted(survey.rgb, key=survey.scales.get) == list(survey.rgb)
    assert survey.sky_noise.to_value(u.nmgy) * max(survey.scales.values()) < 0.1


@pytest.mark.parametrize("survey", SURVEYS.values(), ids=lambda survey: survey.name)
def test_images_and_catalog_of_a_survey(survey):
    for service in survey.services:
        check_image_service(service, survey)
    assert survey.catalog in CATALOGS and survey.release.startswith("DR")
    assert set(survey.hips) - {"color"} == set(survey.bands)
    assert all(name.startswith("CDS/P/") for name in survey.hips.values())
    low, high = survey.declinations
    assert -90 <= low < high <= 90 and 20 < survey.depth < 26


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
    ({"rgb": ("z", "r", "u")}, "rgb: expected three of the bands g, r, i, z, Y. Received"),
    ({"rgb": ("z", "r", "r")}, "rgb: expected three"), ({"rgb": ("z", "r")}, "rgb: expected"),
    ({"scales": {"g": 1.0, "r": 1.0}}, "scales: expected the brightness of z, r, g. Received")])
def test_wrong_records(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SURVEYS["des"], **change)


@pytest.mark.parametrize("survey", [
    *SURVEYS.values(), replace(SURVEYS["sdss"], name="own", catalog=None,
                               pixel_scale=0.1 * 3 * u.arcmin, psf_fwhm=1 / 3 * u.deg)],
    ids=lambda survey: survey.name)
def test_records_go_through_json(survey):
    again = Survey.from_json(json.loads(json.dumps(survey.to_json())))
    assert again == survey and again.to_json() == survey.to_json()
    assert type(again.bands) is tuple and again.pixel_scale.unit == survey.pixel_scale.unit
    again.scales["g"] = -1.0
    assert survey.scales["g"] > 0


@pytest.mark.parametrize("change", [{"colour": "red"}, {"pixel_scale": 3}, {"bands": None}])
def test_wrong_json(change):
    with pytest.raises(ValueError, match="record: expected the fields of a Survey"):
        Survey.from_json(SURVEYS["des"].to_json() | change)


def test_incomplete_json():
    with pytest.raises(ValueError, match="record: .* missing .* 'title'"):
        Survey.from_json({"name": "own"})
