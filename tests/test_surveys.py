import pytest
from astropy import units as u

from astromorph.galaxies.catalogs import CATALOGS
from astromorph.services import check_image_service
from astromorph.surveys import SURVEYS, get_survey


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
