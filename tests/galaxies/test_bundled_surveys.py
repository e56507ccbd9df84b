"""Every survey that comes with astromorph: positions to images to probabilities, on loopback."""
import json

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astromorph import MorphFlag, cli
from astromorph.images import read_cutout, resample
from astromorph.images.fits_planes import read_planes
from astromorph.services import CutoutRequest, get_image_service
from astromorph.services.rubin import TOKEN
from astromorph.services.transport import Transport
from astromorph.surveys import BUNDLED, get_survey
from loopback import LoopbackServer, Sky
from loopback.redirect import redirected
from loopback.rubin import RUBIN_TOKEN

PLACES = {name: (10.0, round(np.mean(np.clip(survey.declinations, -60, 60)), 2))
          for name, survey in BUNDLED.items()}
EACH_WAY = [(name, service) for name in PLACES for service in BUNDLED[name].services]
PICTURES = ("skyserver", "viewer", "hips2fits")
# What is said of every image: shown in gray, or as another camera's colors, or of unknown flux.
SAID = {("euclid", "hips2fits-fits"): (MorphFlag.UNKNOWN_UNIT | MorphFlag.MISSING_BAND
                                       | MorphFlag.ONE_BAND),
        ("euclid", "hips2fits"): MorphFlag.ONE_BAND}  # the pictures here are gray


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as patch, \
            LoopbackServer(Sky([(ra, dec, 1) for ra, dec in PLACES.values()])) as server, \
            redirected(server.url):
        patch.setenv(TOKEN, RUBIN_TOKEN)
        yield server
        assert server.stats.errors == []


def catalog(name, server):
    ra, dec = PLACES[name]
    return Table({"ra": [ra] * u.deg, "dec": [dec] * u.deg,
                  "petroR90_r": [server.sky.galaxy_at(ra, dec).r90] * u.arcsec})


def fetched(name, service):
    survey = get_survey(name)
    request = CutoutRequest(*PLACES[name], 50.0, 160, survey,
                            tuple(band.lower() for band in survey.rgb[::-1]))
    with Transport(retries=0) as transport:
        return get_image_service(service)(request, transport)


@pytest.mark.parametrize("name, service", EACH_WAY)
def test_images_of_every_service(server, name, service):
    survey, image = get_survey(name), fetched(name, service)
    others = MorphFlag.OTHER_COLORS if service in survey.other_colors else MorphFlag(0)
    assert (image.coverage, image.flag) == (1, others)
    assert image.release == survey.releases.get(service, survey.release)
    cutout = read_cutout(image.data, survey=survey)
    assert cutout.flag == SAID.get((name, service), 0)
    assert cutout.pixels.std() > 0.02
    middle = [n // 3 for n in cutout.pixels.shape[:2]]
    inner = cutout.pixels[middle[0]:-middle[0], middle[1]:-middle[1]].mean()
    assert inner > 1.3 * cutout.pixels[:middle[0]].mean()


@pytest.mark.parametrize("name, service", [
    way for way in EACH_WAY if way[1] not in PICTURES and way not in SAID])
def test_flux_of_every_service_is_in_nanomaggies(server, name, service):
    survey, image = get_survey(name), fetched(name, service)
    flux = read_planes(image.data, survey=survey)
    assert flux.flag == 0 and flux.native
    n = next(iter(flux.planes.values())).shape[0]
    truth = server.sky.render(name, *PLACES[name], 50, n, survey.rgb)
    for band, plane in truth.items():
        assert flux.planes[band.lower()].sum() == pytest.approx(plane.sum(), rel=0.03)


@pytest.mark.parametrize("name, service", [
    way for way in EACH_WAY if way[1] == "viewer" and way[0] not in ("sdss", "legacy-dr11")])
def test_pictures_are_those_of_the_flux(server, name, service):
    """The record's color mapping is that of the viewer's layer."""
    survey = get_survey(name)
    picture = read_cutout(fetched(name, service).data).pixels
    drawn = read_cutout(fetched(name, "viewer-fits").data, survey=survey).pixels
    assert 255 * np.abs(resample(picture, 40) - resample(drawn, 40)).mean() < 2  # of 255


def test_bands_are_told_apart_in_the_provenance(server):
    assert fetched("euclid", "hips2fits-fits").bands == "vis"
    assert fetched("euclid", "hips2fits").bands == "NISP,VIS"
    assert fetched("ps1", "viewer").bands == "irg"


def test_a_band_without_hips_is_flagged(server, classifier, tmp_path):
    table = classifier.classify(catalog("euclid", server), survey="euclid", cache=tmp_path,
                                services="hips2fits-fits", bands="VIS,J", progress=False)
    assert table["morph_flag"][0] & MorphFlag.MISSING_BAND and table["P_disk"].mask.all()


@pytest.mark.parametrize("name", PLACES)
def test_positions_to_probabilities(server, classifier, tmp_path, name):
    survey = get_survey(name)
    table = classifier.classify(catalog(name, server), survey=name, cache=tmp_path,
                                provenance=True, progress=False)
    assert not table["P_disk"].mask.any()
    assert table["cutout_service"][0] == survey.services[0]
    assert table.meta["MORPHIMG"].startswith(survey.title)


def test_the_command_line_takes_a_bundled_survey_and_one_in_a_file(server, tmp_path, capsys):
    catalog("kids", server).write(tmp_path / "cat.fits")
    record = tmp_path / "mine.toml"
    record.write_text(MINE, encoding="utf-8")
    for survey, told in (("kids", "sdss"), (str(record), "sdss")):
        out = tmp_path / "out.fits"
        status = cli.main(["classify", str(tmp_path / "cat.fits"), "--survey", survey, "--json",
                           "--cache", str(tmp_path / "cache"), "-o", str(out)])
        assert status == 0
        summary = json.loads(capsys.readouterr().out)
        assert (summary["classified"], summary["survey"]) == (1, told)
        assert Table.read(out)["P_disk"][0] > 0
        out.unlink()


MINE = """
name = "mine"
title = "My survey"
bands = ["g", "r", "i"]
rgb = ["i", "r", "g"]
pixel_scale = "0.2 arcsec"
psf_fwhm = "0.7 arcsec"
scales = {g = 5.0, r = 3.0, i = 2.0}
offset = 0.004
softening = 20.0
sky_noise = "0.003 nmgy"
declinations = [-38.0, 6.0]
services = ["hips2fits"]
hips = {color = "CDS/P/KiDS/DR5/color-gri"}
"""
