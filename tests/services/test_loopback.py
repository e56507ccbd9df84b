"""The simulated sky and services that other tests rely on, read with the real client code."""
import io
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import astroquery.sdss
import numpy as np
import pytest
import pyvo
import requests
from astropy import units as u
from astropy.coordinates import Angle, Latitude, Longitude, SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from astroquery.exceptions import NoResultsWarning, RemoteServiceError
from astroquery.hips2fits import hips2fitsClass
from astroquery.sdss import SDSS
from loopback import Faults, LoopbackServer, Sky
from loopback.faults import KINDS
from loopback.sky import Grid
from PIL import Image

from astromorph.datasets import load_sample
from astromorph.images.fits_planes import read_planes
from astromorph.surveys import SURVEYS

RA, DEC = 10.00037, -5.00021  # of the asymmetric galaxy
CENTER = SkyCoord(RA, DEC, unit="deg")
SKYSERVER = "/dr17/SkyServerWS/ImgCutout/getjpeg"
JPEG, FITS = "/viewer/jpeg-cutout", "/viewer/fits-cutout"
SDSS_COLOR = "CDS/P/SDSS9/color"


@pytest.fixture(scope="module")
def running():
    with LoopbackServer(Sky([(RA, DEC, "asymmetric")])) as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    """The server without faults, and no mistakes of its own at the end."""
    running.faults.clear()
    running.stats.reset()
    monkeypatch.setattr(running.sky, "footprints", dict(running.sky.footprints))
    yield running
    assert running.stats.errors == []


@pytest.fixture
def get(server):
    """Ask for a path below the server's URL, once."""
    with requests.Session() as session:
        yield lambda path, **query: session.get(server.url + path, params=query, timeout=10)


@pytest.fixture
def hips(server):
    """Ask hips2fits through astroquery for a frame 60 arcsec wide."""
    client = hips2fitsClass()
    client.server = server.url + "/hips2fits"

    def query(name, ra=RA, dec=DEC, *, size=150, **options):
        return client.query(name, size, size, "TAN", Longitude(ra * u.deg), Latitude(dec * u.deg),
                            Angle(60 * u.arcsec), **options)
    yield query
    client._session.close()


@pytest.fixture
def sdss(server):
    """Point astroquery.sdss at the server."""
    with (astroquery.sdss.conf.set_temp("skyserver_baseurl", server.url),
          astroquery.sdss.conf.set_temp("sas_baseurl", server.url + "/sas")):
        yield SDSS
    SDSS._session.close()


def picture(body):
    return np.asarray(Image.open(io.BytesIO(body))).astype(float)


def hdus(body):
    return fits.HDUList.fromstring(body)


def assert_asymmetric(blue, red):
    """Check the knots; ``blue`` and ``red`` give the signal at arcseconds to the east and north."""
    assert blue(7, 7) > 2 * red(7, 7)  # the blue knot is in the north-east
    assert red(0, -9) > 2 * blue(0, -9)  # the red one in the south
    assert all(blue(7, 7) > 2 * blue(*other) for other in ((-7, 7), (-7, -7), (7, -7)))
    assert all(red(0, -9) > 2 * red(*other) for other in ((0, 9), (9, 0), (-9, 0)))


def on_picture(pixels, scale=0.4):
    """Signals of a picture, whose row 0 is in the north; less the color of the sky."""
    half = (pixels.shape[0] - 1) / 2

    def signal(channel, east, north):
        x, y = round(half - east / scale), round(half - north / scale)
        return pixels[y - 1:y + 2, x - 1:x + 2, channel].mean() - np.median(pixels[..., channel])
    return (lambda *at: signal(2, *at)), (lambda *at: signal(0, *at))


def on_sky(plane, header):
    """Signal of a plane, found with its WCS."""
    wcs = WCS(header, naxis=2)

    def signal(east, north):
        x, y = wcs.world_to_pixel(CENTER.spherical_offsets_by(east * u.arcsec, north * u.arcsec))
        x, y = round(float(x)), round(float(y))
        return plane[y - 1:y + 2, x - 1:x + 2].mean()
    return signal


# The sky


def test_rows_begin_in_the_south_and_columns_in_the_east():
    planes = Sky([(RA, DEC)]).render("sdss", RA, DEC, 60, 150, "gri")
    assert set(planes) == set("gri")
    assert all(p.shape == (150, 150) and p.dtype == np.float32 for p in planes.values())
    assert_asymmetric(*(on_sky(planes[band], fits.Header(
        Grid.centered(RA, DEC, scale=0.4, width=150, height=150).cards())) for band in "gi"))


@pytest.mark.parametrize("survey", SURVEYS)
def test_surface_brightness_does_not_depend_on_the_pixel_scale(survey):
    fine, coarse = (Sky([(RA, DEC)]).render(survey, RA, DEC, 60, n, "r")["r"] for n in (150, 300))
    np.testing.assert_allclose(fine.mean(), coarse.mean(), rtol=0.02)
    np.testing.assert_allclose(fine.max(), coarse.max(), rtol=0.1)


def test_native_pixels_are_those_of_the_sample():
    sky = Sky([(150.0, 2.0, 0)])
    light = sky.galaxy_at(150.0, 2.0).light
    pixels = sky.render("sdss", 150.0, 2.0, 100 * 0.396127, 100, "gri")["r"]
    path = load_sample()["file"][0]
    sample = fits.getdata(path)[1]
    border = (len(sample) - 100) // 2
    np.testing.assert_allclose(pixels, sample[border:-border, border:-border], atol=1e-4)
    assert light.r90 == fits.getheader(path)["PETROR90"]


def test_there_is_a_galaxy_at_every_position_of_the_raster():
    sky = Sky()
    galaxies = [sky.galaxy_at(150 + n / 1000, 2.345) for n in range(60)]
    assert [galaxy.ra for galaxy in galaxies] == [round(150 + n / 1000, 3) for n in range(60)]
    assert len({galaxy.light for galaxy in galaxies}) == 12
    assert {galaxy.kind for galaxy in galaxies} == {"smooth", "spiral", "barred", "edge-on"}
    assert Sky().galaxy_at(150.0003, 2.3454) == sky.galaxy_at(150, 2.345)


def test_the_registered_galaxy_is_seen_within_ten_arcseconds():
    sky = Sky([(0.001, 30.0), (0.004, 30.0, 3)])
    assert sky.galaxy_at(359.9999, 30.0).kind == "asymmetric"
    assert sky.galaxy_at(0.0035, 30.0).ra == 0.004
    assert sky.galaxy_at(0.001, 30.003).ra == 0.001 and sky.galaxy_at(0.001, 30.003).dec == 30.003
    assert not any(galaxy.dec == 30.0 for galaxy in sky.catalog("sdss", 0, 29.9, 0.05))


def test_equal_galaxies_share_their_pixels():
    sky = Sky(field=False)
    first = sky.galaxy_at(150.0, 2.0)
    other = next(galaxy for n in range(1, 200)
                 if (galaxy := sky.galaxy_at(150 + n / 1000, 2)).light is first.light)
    views = [sky.view("sdss", Grid.centered(one.ra, one.dec, scale=0.2, width=64, height=64), "g")
             for one in (first, other)]
    assert views[0] == views[1] and views[0].planes() is views[1].planes()


def test_pixels_beyond_the_footprint_are_nan():
    sky = Sky(footprints={"sdss": (0, DEC + 90)})
    assert np.isnan(sky.render("sdss", RA, DEC, 60, 50, "g")["g"]).all()
    plane = sky.render("sdss", RA, 0.0, 60, 50, "g")["g"]
    assert np.isnan(plane[:25]).all() and np.isfinite(plane[25:]).all()
    assert np.isfinite(sky.render("legacy", RA, DEC, 60, 50, "g")["g"]).all()


def test_catalogs_list_what_is_seen():
    sky = Sky([(RA, DEC)])
    found = sky.catalog("sdss", RA, DEC, 0.5)
    assert 250 < len(found) < 400 and len(set(found)) == len(found)
    assert all(sky.galaxy_at(galaxy.ra, galaxy.dec) == galaxy for galaxy in found)
    distance = SkyCoord([g.ra for g in found], [g.dec for g in found], unit="deg")
    assert distance.separation(CENTER).deg.max() < 0.5
    assert set(sky.box("sdss", RA - 0.1, RA + 0.1, DEC - 0.1, DEC + 0.1)) < set(found)
    assert len(sky.catalog("sdss", 0, 20, 0.3)) > 50  # across 0 h
    assert sky.catalog("des", RA, 50, 0.5) == []


# The same galaxy in every service


@pytest.mark.parametrize("path, query", [
    (SKYSERVER, {"scale": 0.4, "width": 150, "height": 150}),
    *((JPEG, {"layer": layer, "pixscale": 0.4, "size": 150})
      for layer in ("ls-dr10", "ls-dr9", "des-dr1", "sdss")),
])
def test_pictures_show_north_up_and_east_left(get, path, query):
    response = get(path, ra=RA, dec=DEC, **query)
    assert response.headers["Content-Type"] == "image/jpeg"
    pixels = picture(response.content)
    assert pixels.shape == (150, 150, 3)
    assert_asymmetric(*on_picture(pixels))


@pytest.mark.parametrize("name", [SDSS_COLOR, "CDS/P/DESI-Legacy-Surveys/DR10/color",
                                  "CDS/P/DES-DR2/ColorIRG"])
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_color_hips_as_picture(hips, name, kind):
    assert_asymmetric(*on_picture(hips(name, format=kind).astype(float)))


def planes_of(service, get, hips, sdss, server):
    """g and i (or z) of one service, each with its header."""
    if service.startswith("CDS"):
        return [(hdu[0].data, hdu[0].header) for hdu in (hips(f"{service}/{b}") for b in "gi")]
    if service == "sia":
        found = pyvo.dal.SIAService(server.url + "/sia/des_dr2").search(CENTER, 0.02 * u.deg)
        urls = [stack_url(found, band) for band in "gi"]
        return [(hdu[0].data, hdu[0].header) for hdu in (hdus(requests.get(one).content)
                                                         for one in urls)]
    if service == "frames":
        frames = sdss.get_images(coordinates=CENTER, band="gi", data_release=17, timeout=10,
                                 cache=False, show_progress=False)
        return [(hdu[0].data, hdu[0].header) for hdu in frames[2:4]]
    bands = "gi" if service in ("sdss", "ls-dr10") else "gz"
    hdu = hdus(get(FITS, ra=RA, dec=DEC, layer=service, bands=bands, size=150).content)[0]
    return [(plane, hdu.header) for plane in hdu.data]


def stack_url(found, band):
    rows = [row for row in found if row["proctype"] == "Stack" and row["prodtype"] == "image"
            and row["obs_bandpass"].startswith(band)]
    return next(row.getdataurl() for row in rows if f"p01_{band}.fits" in row.getdataurl())


@pytest.mark.parametrize("service, factor", [
    ("sdss", 1), ("ls-dr10", 0.12), ("ls-dr9", 0.12), ("des-dr1", 0.12), ("CDS/P/SDSS9", 1),
    ("CDS/P/DESI-Legacy-Surveys/DR10", 0.12), ("CDS/P/DES-DR2", 120), ("sia", 120), ("frames", 1)])
def test_flux_is_where_the_wcs_says_and_in_the_service_s_unit(service, factor, get, hips, sdss,
                                                              server):
    (g, header), (i, other) = planes_of(service, get, hips, sdss, server)
    blue, red = on_sky(g, header), on_sky(i, other)
    assert_asymmetric(blue, red)
    wcs = WCS(header, naxis=2)  # neither mirrored nor sheared:
    np.testing.assert_allclose(np.linalg.det(wcs.pixel_scale_matrix),
                               -np.prod(proj_plane_pixel_scales(wcs)))
    truth = Sky([(RA, DEC)]).render("sdss", RA, DEC, 60, 150, "g")["g"]
    np.testing.assert_allclose(blue(0, 0), factor * truth[74:76, 74:76].mean(), rtol=0.15)


# One test for each row of the contract that no other test here holds


@pytest.mark.parametrize("layer, gray", [("ls-dr10-grz", 32), ("ls-dr9", 32), ("ls-dr10", 32),
                                         ("ls-dr10-gri", 22), ("ls-dr11-south-gri", 22),
                                         ("des-dr1", 32), ("sdss", 22)])
def test_viewer_shows_one_gray_where_there_is_nothing(get, server, layer, gray):
    for survey in ("legacy", "legacy-dr11", "des", "sdss"):
        server.sky.footprints[survey] = (80, 85)
    answer = get(JPEG, ra=RA, dec=DEC, layer=layer, size=80)
    assert answer.status_code == 200
    assert np.ptp(picture(answer.content)) == 0
    assert picture(answer.content).max() == pytest.approx(gray, abs=1)


@pytest.mark.parametrize("layer, status", [("ls-dr10", 200), ("ls-dr10-grz", 200),
                                           ("des-dr1", 500), ("sdss", 500)])
def test_viewer_flux_where_there_is_nothing(get, server, layer, status):
    """Zeros, or the bare page of any failure: nothing tells them apart."""
    for survey in ("legacy", "des", "sdss"):
        server.sky.footprints[survey] = (80, 85)
    answer = get(FITS, ra=RA, dec=DEC, layer=layer, size=80)
    assert answer.status_code == status
    if status == 200:
        assert not hdus(answer.content)[0].data.any()
    else:
        assert "Server Error (500)" in answer.text and "overlap" not in answer.text.lower()


def test_viewer_without_a_position(get):
    answer = get(JPEG, layer="sdss")
    assert (answer.status_code, answer.text) == (400, "Need ra,dec keywords")


def test_skyserver_has_a_finest_scale(get):
    answer = get(SKYSERVER, ra=RA, dec=DEC, scale=0.014, width=212, height=212)
    assert answer.status_code == 500 and answer.reason.startswith("INTERNAL SERVER ERROR.")
    assert answer.content.startswith(b"\xff\xd8")


def test_tap_errors_have_status_200(server):
    """The reason is in the VOTable."""
    answer = requests.get(server.url + "/tap/sync", timeout=10, params={
        "QUERY": "SELECT nothing FROM nowhere", "LANG": "ADQL"})
    assert answer.status_code == 200 and 'value="ERROR"' in answer.text


# SkyServer's pictures


@pytest.mark.parametrize("black_tile", [False, True])
def test_skyserver_outside_the_footprint(get, server, black_tile):
    server.faults.set(black_tile=black_tile)
    response = get(SKYSERVER, ra=RA, dec=-60, scale=0.4, width=424, height=424)
    if black_tile:
        assert response.status_code == 200
        assert 0.88 < (picture(response.content) == 0).mean() < 1
    else:
        assert response.status_code == 404
        assert response.reason == (
            "NOT FOUND. Requested (ra, dec) is outside the SDSS footprint.")
        assert (picture(response.content) == 0).mean() > 0.8


@pytest.mark.parametrize("query", [{"width": 63}, {"height": 2049}, {"ra": "x"}, {"dec": None}])
def test_skyserver_refuses(get, query):
    query = {"ra": RA, "dec": DEC, "width": 64, "height": 64} | query
    assert get(SKYSERVER, **query).status_code == 400


def test_skyserver_shows_black_beyond_the_footprint(get, server):
    server.sky.footprints["sdss"] = (DEC, 90)
    pixels = picture(get(SKYSERVER, ra=RA, dec=DEC, scale=0.4, width=150, height=150).content)
    assert pixels[80:].max() < 10 and pixels[:75].max() > 50


# The viewer


def test_viewer_fits_headers_and_shapes(get):
    cube = hdus(get(FITS, ra=RA, dec=DEC, layer="ls-dr10", bands="grz", size=60).content)[0]
    assert cube.data.shape == (3, 60, 60) and cube.header["BITPIX"] == -32
    assert [cube.header[key] for key in ("BANDS", "BAND0", "BAND2")] == ["grz", "g", "z"]
    assert "SURVEY" in cube.header and "BUNIT" not in cube.header
    one = hdus(get(FITS, ra=RA, dec=DEC, layer="sdss", bands="r", size=60).content)[0]
    assert one.data.shape == (60, 60)
    planes = read_planes(get(FITS, ra=RA, dec=DEC, layer="sdss", size=60).content)
    assert list(planes.planes) == ["g", "r", "i"] and planes.native


def test_viewer_sizes(get):
    assert picture(get(JPEG, ra=RA, dec=DEC).content).shape == (256, 256, 3)
    shape = picture(get(JPEG, ra=RA, dec=DEC, width=3100, height=20).content).shape
    assert shape == (20, 3000, 3)


def test_viewer_traps(get):
    assert get(FITS, ra=RA).status_code == 400
    unknown = get(JPEG, ra=RA, dec=DEC, layer="ls-dr99")
    assert (unknown.status_code, unknown.text) == (200, "no such layer")
    default = hdus(get(FITS, ra=RA, dec=DEC, layer="ls-dr9", bands="gri", size=20).content)[0]
    assert default.header["BANDS"] == "grz"


def test_viewer_without_overlap(get):
    outside = {"ra": RA, "dec": 50, "layer": "des-dr1", "size": 64}
    assert get(FITS, **outside).status_code == 500
    blank = get(JPEG, **outside)
    assert blank.status_code == 200
    assert np.unique(picture(blank.content)).tolist() == [32]  # m = 0.03, Q = 20


@pytest.mark.parametrize("ra, dec, has_i", [(180, 33, False), (180, 32, True), (RA, 33, True)])
def test_viewer_dr10_has_no_i_in_the_north(get, ra, dec, has_i):
    """The north is north of the plane of the Milky Way too."""
    data = hdus(get(FITS, ra=ra, dec=dec, layer="ls-dr10", bands="gi", size=20).content)[0].data
    assert data[0].any() and data[1].any() == has_i


def test_viewer_dr10_is_brighter_in_the_north_but_of_the_same_hue(get):
    """The plane of i is zero there, but still counts in the mean."""
    shown, grz = (picture(get(JPEG, ra=180, dec=34, layer=layer, size=64, pixscale=0.5).content)
                  for layer in ("ls-dr10", "ls-dr10-grz"))
    assert shown.mean() > grz.mean() + 1
    hues = [each.mean(axis=(0, 1)) / each.mean() for each in (shown, grz)]
    np.testing.assert_allclose(*hues, atol=0.02)


def test_viewer_dr10_without_i_is_no_dr9(get, server):
    server.sky.footprints["legacy"] = (80, 85)
    pixels = picture(get(JPEG, ra=RA, dec=DEC, layer="ls-dr10", bands="grz", size=80).content)
    np.testing.assert_allclose(pixels.reshape(-1, 3).mean(axis=0), (24, 16, 32), atol=1.5)


def test_viewer_has_zeros_beyond_the_footprint(get, server):
    server.sky.footprints["legacy"] = (DEC, 90)
    data = hdus(get(FITS, ra=RA, dec=DEC, bands="g", size=50).content)[0].data
    assert not data[:25].any() and data[25:].all()


# hips2fits


def test_hips_fits_is_recognized_and_has_no_unit(hips):
    hdu = hips("CDS/P/SDSS9/r")[0]
    assert "BUNIT" not in hdu.header and hdu.header["CRPIX1"] == 75
    assert read_planes(hdu, survey="sdss", bands=["r"]).native


def test_hips_with_a_wcs_is_the_frame_asked(hips, server):
    wcs = WCS(fits.Header(Grid.centered(RA, DEC, scale=0.4, width=99, height=80).cards()))
    wcs.pixel_shape = (99, 80)
    client = hips2fitsClass()
    client.server = server.url + "/hips2fits"
    hdu = client.query_with_wcs("CDS/P/SDSS9/g", wcs)[0]
    client._session.close()
    assert hdu.data.shape == (80, 99)
    truth = Sky([(RA, DEC)]).render("sdss", RA, DEC, 40, 100, "g")["g"]
    assert abs(hdu.data[39:41, 49].mean() / truth[49:51, 49:51].mean() - 1) < 0.1


def test_hips_can_be_rotated(hips):
    hdus = [hips(f"CDS/P/SDSS9/{b}", rotation_angle=Angle(30 * u.deg))[0] for b in "gi"]
    assert abs(WCS(hdus[0].header).pixel_scale_matrix[0, 1]) > 5e-5
    assert_asymmetric(*(on_sky(hdu.data, hdu.header) for hdu in hdus))


def test_hips_color_as_fits_is_rgba(hips):
    hdu = hips(SDSS_COLOR)[0]
    assert hdu.data.shape == (4, 150, 150) and hdu.data.dtype == np.uint8
    assert (hdu.data[3] == 255).all()
    assert_asymmetric(on_sky(hdu.data[2].astype(float), hdu.header),
                      on_sky(hdu.data[0].astype(float), hdu.header))


def test_hips_outside_is_blank(hips):
    assert np.isnan(hips("CDS/P/DES-DR2/g", dec=50.0)[0].data).all()
    color = "CDS/P/DESI-Legacy-Surveys/DR10/color"
    assert (hips(color, dec=89.0, format="jpg") == 255).all()
    assert not hips(color, dec=89.0, format="png")[..., 3].any()
    assert (hips(color, format="png")[..., 3] == 255).all()


def test_hips_gray_picture_is_cut_and_stretched(hips):
    dark, bright = (hips("CDS/P/SDSS9/r", format="png", min_cut=1, max_cut=cut, stretch="asinh")
                    for cut in (99.9, 90))
    assert dark.shape == (150, 150, 3) and (dark[..., 0] == dark[..., 2]).all()
    assert bright.mean() > 1.5 * dark.mean()


def test_hips_errors_are_json(hips, get):
    with pytest.raises(AttributeError, match="CDS/P/SDSS9/q not found"):
        hips("CDS/P/SDSS9/q")
    answer = get("/hips2fits", hips=SDSS_COLOR, format="jpg", stretch="odd")
    assert answer.status_code == 400 and "odd" in answer.json()["description"]


# SDSS frames and SkyServer's catalog


def test_several_frames_and_one_centers_the_galaxy(sdss, server):
    frames = sdss.get_images(coordinates=CENTER, band="r", data_release=17, timeout=10,
                             cache=False, show_progress=False)
    assert [hdu[0].header["FILTER"] for hdu in frames] == ["r"] * 3
    assert len(frames[0]) == 3 and frames[0][0].header["BUNIT"] == "nanomaggy"
    x, y = zip(*(map(float, WCS(hdu[0].header).world_to_pixel(CENTER)) for hdu in frames))
    height, width = frames[0][0].data.shape
    assert x[0] < 20 and x[2] > width
    assert 0.3 < x[1] / width < 0.7 and 0.3 < y[1] / height < 0.7
    assert server.stats.paths["/sas"] == 3


def test_frames_have_the_real_size_and_place_if_asked(sdss, server, monkeypatch):
    monkeypatch.setattr(server.sky, "frame_shape", (1489, 2048))
    match = Table({"run": [10000], "rerun": [301], "camcol": [2], "field": [85000]})
    hdu, = sdss.get_images(matches=match, band="r", data_release=18, timeout=20, cache=False,
                           show_progress=False)
    assert hdu[0].data.shape == (1489, 2048)
    signal = on_sky(hdu[0].data, hdu[0].header)
    assert signal(0, 0) > 2 * signal(7, 7) > 4 * signal(-7, 7)


def test_frames_not_there(sdss, get):
    with pytest.warns(NoResultsWarning, match="no results"):
        assert sdss.get_images(coordinates=SkyCoord(10, -60, unit="deg"), band="r",
                               cache=False) is None
    name = "frame-r-010000-2-085000.fits.bz2"
    assert get(f"/sas/dr17/boss/photoObj/frames/301/10000/2/{name}").status_code == 404
    assert get(f"/sas/dr17/eboss/photoObj/frames/301/10000/2/{name}").status_code == 200


def test_regions_through_astroquery(sdss, server):
    circle = sdss.query_region(CENTER, radius=3 * u.arcmin, cache=False,
                               photoobj_fields=["ra", "dec", "petroR90_r"])
    truth = server.sky.catalog("sdss", RA, DEC, 0.05)
    assert sorted(circle["ra"]) == sorted(galaxy.ra for galaxy in truth)
    assert set(circle["petroR90_r"]) == {galaxy.r90 for galaxy in truth}
    box = sdss.query_region([CENTER, SkyCoord(0, 20, unit="deg")], width=0.2 * u.deg, cache=False,
                            photoobj_fields=["ra", "dec"])
    assert len(set(box["ra"])) > 20 and {round(dec) for dec in box["dec"]} == {-5, 20}
    assert (box["ra"][box["dec"] > 0] > 359).any()


def test_sql(sdss, server):
    near = f"dbo.fGetNearbyObjEq({RA}, {DEC}, 30)"
    found = sdss.query_sql(f"SELECT TOP 40 g.objID, g.ra, g.petroR90_r AS r90 FROM Galaxy AS g "
                           f"JOIN {near} AS n ON g.objID = n.objID WHERE g.petroR90_r > 8 AND "
                           "g.petroMag_r BETWEEN 10 AND 17.77", cache=False)
    assert found.colnames == ["objID", "ra", "r90"] and len(found) == 40
    assert found["r90"].min() > 8 and len(set(found["objID"])) == 40
    with pytest.raises(RemoteServiceError, match="Invalid column name 'bad'"):
        sdss.query_sql(f"SELECT bad FROM {near}", cache=False)
    with pytest.raises(RemoteServiceError, match="no circle and no box"):
        sdss.query_sql("SELECT ra FROM Galaxy", cache=False)


def test_csv_begins_as_skyserver_s(get):
    sql = f"SELECT ra FROM dbo.fGetNearbyObjEq({RA}, {DEC}, 0.1)"
    response = get("/dr17/SkyServerWS/SearchTools/SqlSearch", cmd=sql, format="csv")
    assert response.text == f"#Table1\nra\n{RA}\n"


# SIA and TAP


def test_sia_lists_stacks_and_decoys(server):
    found = pyvo.dal.SIAService(server.url + "/sia/des_dr2").search(CENTER, 0.02 * u.deg)
    table = found.to_table()
    assert len(table) == 66 and set(table["proctype"]) == {"Stack"}  # of two tiles
    assert set(table["prodtype"]) == {"image", "mask", "weight"}
    assert {name.split()[0] for name in table["obs_bandpass"]} == {*"grizY", "det"}
    url = stack_url(found, "r")
    assert "+" in url
    with requests.get(url, timeout=10) as response:
        assert "Content-Length" not in response.headers
        header = hdus(response.content)[0].header
    assert header["MAGZERO"] == 30 and WCS(header).wcs.cd[0, 1] != 0
    assert requests.get(url.replace("+", "%2B"), timeout=10).status_code == 500
    for one, other in (("_r.fits", "_r_nobkg.fits"), ("_r.fits", "_det.fits"),
                       ("extn=1", "extn=3")):
        decoy = requests.get(url.replace(one, other), timeout=10)
        assert np.ptp(hdus(decoy.content)[0].data) == 0
    sliver = hdus(requests.get(url.replace("+p01", "+p02"), timeout=10).content)[0].data
    assert len(sliver) < len(hdus(requests.get(url, timeout=10).content)[0].data) / 4


def test_sia_outside_lists_nothing(server):
    service = pyvo.dal.SIAService(server.url + "/sia/des_dr2")
    assert len(service.search(SkyCoord(10, 50, unit="deg"), 0.02 * u.deg)) == 0


@pytest.mark.parametrize("survey, table, column", [("legacy", "ls_dr10.tractor", "shape_r"),
                                                   ("des", "des_dr2.main", "flux_radius_r")])
def test_tap_tables(server, survey, table, column):
    service = pyvo.dal.TAPService(server.url + "/tap")
    region = f"'t' = q3c_radial_query(ra, dec, {RA}, {DEC}, 0.2)"
    found = service.search(f"SELECT ra, dec, {column} FROM {table} WHERE {region}").to_table()
    truth = server.sky.catalog(survey, RA, DEC, 0.2)
    assert found.colnames == ["ra", "dec", column] and len(found) == len(truth) > 20
    arcsec = {"legacy": 1, "des": 0.263}[survey]
    np.testing.assert_allclose(sorted(2.318 * arcsec * found[column]),
                               sorted(galaxy.r90 for galaxy in truth))
    empty = service.search(f"SELECT ra FROM {table} WHERE {region} AND {column} > 99")
    assert len(empty) == 0


@pytest.mark.filterwarnings("ignore::pyvo.dal.DALOverflowWarning")
def test_tap_limits_and_errors(server):
    service = pyvo.dal.TAPService(server.url + "/tap")
    circle = f"q3c_radial_query(ra, dec, {RA}, {DEC}, 0.2)"
    near = f"ls_dr10.tractor WHERE 't' = {circle}"
    assert len(service.search(f"SELECT ra FROM {near} LIMIT 3")) == 3
    assert len(service.search(f"SELECT ra FROM {near}", maxrec=4)) == 4
    server.faults.set(max_rows=5)
    with pytest.warns(pyvo.dal.DALOverflowWarning):
        assert len(service.search(f"SELECT ra FROM {near}")) == 5
    for query, message in {
            f"SELECT bad FROM {near}": "Invalid column name 'bad'",
            f"SELECT ra FROM ls_dr10.tractor WHERE {circle}": "expected a comparison",
            "SELECT ra FROM ls_dr10.tractor WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), "
            "CIRCLE('ICRS', 1, 2, 3))": "function contains.*does not exist"}.items():
        with pytest.raises(pyvo.dal.DALQueryError, match=message):
            service.search(query)


# Faults


def jpeg_of(get, n=0):
    return get(JPEG, ra=20 + n / 1000, dec=3, size=64, pixscale=0.5)


def plan(server, kind, path=JPEG):
    server.faults.set(plan={path: [kind]})


@pytest.mark.parametrize("kind, status, content_type, start", [
    ("429", 429, "text/plain", b"Too Many"), ("500", 500, "text/plain", b"Internal"),
    ("502", 502, "text/html", b"<!DOCTYPE"), ("503", 503, "text/html", b"<!DOCTYPE"),
    ("html", 200, "text/html", b"<!DOCTYPE"),
    ("json", 200, "application/json", b'{"title"'), ("type", 200, "text/plain", b"\xff\xd8")])
def test_answers_in_place_of_the_image(get, server, kind, status, content_type, start):
    plan(server, kind)
    first, second = jpeg_of(get), jpeg_of(get)
    assert (first.status_code, first.headers["Content-Type"]) == (status, content_type)
    assert first.content.startswith(start)
    assert second.status_code == 200 and picture(second.content).any()
    assert server.stats.faults == {kind: 1}


def test_retry_after(get, server):
    for kind, value in (("429", "7"), ("503", "Thu, 26 Nov 2026 12:00:00 GMT"), ("429", None)):
        server.faults.set(plan={"/": [kind]}, retry_after=value)
        assert jpeg_of(get).headers.get("Retry-After") == value


def test_truncated_bodies(get, server):
    whole = jpeg_of(get).content
    for kind in ("cut-length", "cut-chunked"):
        plan(server, kind)
        with pytest.raises((requests.exceptions.ChunkedEncodingError,
                            requests.exceptions.ConnectionError)):
            jpeg_of(get)
    plan(server, "cut")
    assert jpeg_of(get).content == whole[:len(whole) // 2]
    assert jpeg_of(get).content == whole


def test_reset_and_stalls(get, server):
    plan(server, "reset")
    with pytest.raises(requests.exceptions.ConnectionError, match="reset"):
        jpeg_of(get)
    for kind in ("stall", "stall-body"):
        plan(server, kind)
        with pytest.raises(requests.exceptions.RequestException, match="[Tt]imed out"):
            requests.get(server.url + JPEG, params={"ra": 1, "dec": 1}, timeout=0.3)
    server.faults.set(stall=0.01)
    plan(server, "stall")
    with pytest.raises(requests.exceptions.ConnectionError, match="closed connection"):
        jpeg_of(get)


def test_images_without_data(get, hips, server):
    server.faults.set(plan=lambda path, n: ("blank", "half")[n % 2])
    blank, half = (picture(jpeg_of(get).content) for _ in range(2))
    assert np.ptp(blank) == 0 and np.ptp(half[:30]) == 0 and np.ptp(half[34:]) > 0
    blank, half = (hips("CDS/P/SDSS9/g")[0].data for _ in range(2))
    assert np.isnan(blank).all() and 0.4 < np.isnan(half).mean() < 0.6
    blank, half = (hdus(get(FITS, ra=RA, dec=DEC, size=50).content)[0].data for _ in range(2))
    assert not blank.any() and not half[:, 25:].any() and half[:, :25].all()


def test_other_bands_than_asked(get, server):
    plan(server, "bands", FITS)
    moved, asked = (hdus(get(FITS, ra=RA, dec=DEC, size=20, bands="grz").content)[0]
                    for _ in range(2))
    assert moved.header["BANDS"] == "zrg" and asked.header["BANDS"] == "grz"
    np.testing.assert_array_equal(moved.data, asked.data[::-1])


def test_latency(get, server):
    server.faults.set(latency=0.2)
    start = time.monotonic()
    jpeg_of(get)
    assert time.monotonic() - start >= 0.2


def test_rates_are_repeatable_and_a_retry_draws_anew():
    rates = {"500": 0.2, "reset": 0.1}
    draws = [[Faults(rates, seed=seed).draw("/a", n, attempt) for n in range(1000)]
             for seed, attempt in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert draws[0] == draws[1] != draws[2] and draws[0] != draws[3]
    assert 150 < draws[0].count("500") < 250 and 60 < draws[0].count("reset") < 140
    assert {Faults(rates, only="/b").draw("/a", n, 0) for n in range(100)} == {None}


def test_unknown_faults_are_refused():
    with pytest.raises(ValueError, match="there is no '504'.*cut-length"):
        Faults({"504": 1})
    with pytest.raises(ValueError, match="there is no 'latencey': set rates, plan"):
        Faults().set(latencey=1)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"stall", "stall-body"}))
def test_a_rate_of_one_always_happens(server, kind):
    server.faults.set(rates={kind: 1.0}, only=FITS)
    try:
        requests.get(server.url + FITS, params={"ra": RA, "dec": DEC, "size": 20}, timeout=10)
    except requests.exceptions.RequestException:
        pass
    assert server.stats.faults == {kind: 1}


# Counting


def test_counts_are_exact_under_concurrency(server):
    server.faults.set(latency=0.05)

    def ask(n):
        with requests.Session() as session:
            for _ in range(4):
                query = {"ra": 20 + n % 10 / 1000, "dec": 3, "size": 64}
                session.get(server.url + (JPEG, FITS)[n % 2], params=query, timeout=30)
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(ask, range(50)))
    stats = server.stats
    assert stats.requests == 200 and stats.paths == {JPEG: 100, FITS: 100}
    assert set(stats.targets.values()) == {20} and len(stats.targets) == 10
    assert stats.targets[f"{FITS} 20.0010,3.0000"] == 20
    assert stats.connections == 50 and stats.simultaneous == 0
    assert 1 < stats.most_simultaneous <= 50


def test_most_simultaneous_is_what_the_client_does(get, server):
    for _ in range(20):
        jpeg_of(get)
    assert server.stats.most_simultaneous == 1 and server.stats.connections == 1


def test_unknown_paths_are_not_found(get, server):
    assert get("/viewer/cat").status_code == 404
    assert server.stats.paths == {"/viewer/cat": 1}


def test_the_server_as_a_process():
    tests = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tests, tests.parent)))}
    process = subprocess.Popen([sys.executable, "-m", "loopback", "--rate", "500", "1"], text=True,
                               env=environment, stdout=subprocess.PIPE)
    try:
        url = process.stdout.readline().strip()
        with requests.Session() as session:
            assert session.get(url + JPEG, params={"ra": 1, "dec": 2}).status_code == 500
            assert session.get(url + "/_faults?latency=0.01&429=0").json()["faults"] == {"500": 1}
            assert session.get(url + JPEG, params={"ra": 1, "dec": 2}).status_code == 200
            stats = session.get(url + "/_stats").json()
            assert stats["paths"] == {JPEG: 2} and stats["connections"] == 1
            assert json.dumps(session.get(url + "/_reset").json()["paths"]) == "{}"
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == 0
