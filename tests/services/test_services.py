"""The image services: what they ask, that all show the same sky, and what bad answers become."""
import csv
import io
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import astroquery.sdss
import numpy as np
import pytest
from astropy.config import set_temp_cache
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from astromorph.flags import MorphFlag
from astromorph.images import read_cutout, resample
from astromorph.images.composite import color_composite
from astromorph.images.fits_planes import read_planes
from astromorph.services import (IMAGE_SERVICES, CutoutRequest, FetchError, ImageService,
                                 ServiceImage, check_image_service, conf, get_image_service,
                                 sdss_frames, transport as transport_module)
from astromorph.services.checks import check_fits, check_picture, check_planes, read_fits
from astromorph.services.framing import frame_wcs, native_pixels, resample_to_frame
from astromorph.services.transport import Transport
from astromorph.services.viewer import viewer_picture
from astromorph.surveys import SURVEYS
from loopback import LoopbackServer, Sky

PLACES = {"sdss": (180.0, 30.0), "legacy": (200.0, 5.0), "des": (10.0, -55.0)}
PAIRS = [(name, service) for name in PLACES for service in SURVEYS[name].services]
PICTURES = [("sdss", "skyserver"), ("legacy", "viewer"), ("sdss", "hips2fits")]
FITS = [("sdss", "viewer-fits"), ("des", "hips2fits-fits"), ("des", "sia")]


@pytest.fixture(scope="module")
def running():
    sky = Sky([(ra, dec, "asymmetric") for ra, dec in PLACES.values()])
    with LoopbackServer(sky) as server:
        yield server


@pytest.fixture
def server(running, monkeypatch, tmp_path):
    """The simulated services in place of the real ones; retries do not wait."""
    running.faults.clear()
    running.stats.reset()
    limits = dict(running.sky.footprints)
    items = {"skyserver_url": "", "viewer_url": "/viewer", "hips2fits_url": "/hips2fits",
             "hips2fits_mirror_url": "/hips2fits-mirror", "sia_url": "/sia"}
    monkeypatch.setattr(transport_module, "BACK_OFF", lambda state: 0)
    with set_temp_cache(tmp_path), \
            astroquery.sdss.conf.set_temp("skyserver_baseurl", running.url), \
            astroquery.sdss.conf.set_temp("sas_baseurl", running.url + "/sas"):
        for name, path in items.items():
            monkeypatch.setattr(conf, name, running.url + path)
        yield running
        for name in items:
            conf.reset(name)
    running.sky.footprints.update(limits)
    assert running.stats.errors == []


@pytest.fixture
def transport(server):
    with Transport(retries=1, timeout=10) as transport:
        yield transport


def make_request(survey, *, bands=None, width=50.0, pixels=160, ra=None, **changes):
    survey = replace(SURVEYS[survey], **changes)
    ra, dec = PLACES[survey.name] if ra is None else (ra, PLACES[survey.name][1])
    return CutoutRequest(ra, dec, width, pixels, survey, tuple(bands or survey.rgb[::-1]))


def look(image, survey, size=64):
    """The image as the classifier sees it."""
    bands = image.bands if image.data.startswith(b"SIMPLE") else None
    return resample(read_cutout(image.data, survey=survey, bands=bands).pixels, size)


def correlation(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


@pytest.mark.parametrize("survey, service", PAIRS)
def test_all_ways_show_the_same_galaxy(survey, service, server, transport):
    request = make_request(survey)
    image = get_image_service(service)(request, transport)
    planes = server.sky.render(survey, request.ra, request.dec, 50, 160, request.bands)
    truth = resample(color_composite(planes, request.survey)[::-1], 64)
    seen = look(image, request.survey)
    assert correlation(seen, truth) > 0.985
    for changed in (truth[::-1], truth[:, ::-1], truth[..., ::-1], np.roll(truth, 2, axis=0),
                    np.roll(truth, 2, axis=1)):
        assert correlation(seen, changed) < correlation(seen, truth) - 0.02
    assert seen.mean() == pytest.approx(truth.mean(), rel=0.03)
    others = MorphFlag.OTHER_COLORS if service in request.survey.other_colors else 0
    assert (image.coverage, image.flag) == (1, others)
    assert image.release == request.survey.releases.get(service, request.survey.release)
    assert image.url.startswith(server.url)
    assert set(image.bands) == set(request.bands)
    side = min(read_cutout(image.data, survey=survey, bands=request.bands).pixels.shape[:2])
    assert image.pixel_scale * side == pytest.approx(50)


@pytest.mark.parametrize("survey, service", [
    pair for pair in PAIRS if not pair[1].endswith("er") and pair[1] != "hips2fits"])
def test_flux_is_that_of_native_pixels_at_the_asked_place(survey, service, server, transport):
    request = make_request(survey, pixels=240)
    image = get_image_service(service)(request, transport)
    flux = read_planes(image.data, survey=survey)
    assert flux.native and flux.flag == 0
    assert list(flux.planes) == [*request.bands] == [*image.bands]
    n = len(flux.planes["r"])
    truth = server.sky.render(survey, request.ra, request.dec, 50, n, request.bands)
    for band in request.bands:
        inner = np.s_[n // 4:-n // 4, n // 4:-n // 4]
        assert flux.planes[band][inner].sum() == pytest.approx(truth[band][inner].sum(), rel=0.02)
    assert flux.pixel_scale == pytest.approx(image.pixel_scale, rel=1e-3)
    center = WCS(read_fits(image.data)[1], fix=False, naxis=2).wcs_world2pix(*PLACES[survey], 0)
    assert np.allclose(center, (n - 1) / 2, atol=0.01)


def test_one_band_and_bands_in_capitals(server, transport):
    request = make_request("des", bands="y")
    image = get_image_service("hips2fits-fits")(request, transport)
    assert image.bands == "y" and read_fits(image.data)[0].shape[0] == 1
    image = get_image_service("viewer-fits")(make_request("sdss", bands="r"), transport)
    assert image.bands == "r" and fits.getdata(io.BytesIO(image.data)).ndim == 2


class Recorder:
    """A transport that only notes what is asked."""

    def get(self, url, *, params=None, check=None, on_error=None):
        self.url, self.params = url, params


@pytest.mark.parametrize("survey, service, expected", [
    ("sdss", "skyserver", {"ra": 180.0, "dec": 30.0, "scale": 0.3125, "width": 160, "height": 160}),
    ("legacy", "viewer", {"layer": "ls-dr10-grz", "pixscale": 0.3125, "size": 160}),
    ("des", "viewer-fits", {"layer": "des-dr1", "bands": "grz", "size": 160}),
    ("legacy", "hips2fits", {"hips": "CDS/P/DESI-Legacy-Surveys/DR10/color", "format": "png",
                             "NAXIS1": 160, "CRVAL1": 200.0, "CRVAL2": 5.0, "CRPIX1": 80.5,
                             "CDELT1": -0.3125 / 3600, "CTYPE2": "DEC--TAN"})])
def test_what_is_asked(survey, service, expected):
    recorder = Recorder()
    get_image_service(service).fetch(make_request(survey), recorder)
    asked = recorder.params | json.loads(recorder.params.get("wcs", "{}"))
    assert {name: asked[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("service, pixels, asked", [
    ("skyserver", 20, 64), ("skyserver", 5000, 2048), ("viewer", 5000, 3000),
    ("hips2fits", 5000, 3000)])
def test_sizes_that_services_take(service, pixels, asked):
    recorder = Recorder()
    get_image_service(service).fetch(make_request("legacy", pixels=pixels), recorder)
    params = recorder.params | json.loads(recorder.params.get("wcs", "{}"))
    assert asked in (params.get("width"), params.get("size"), params.get("NAXIS1"))
    scale = params.get("scale") or params.get("pixscale") or 3600 * params["CDELT2"]
    assert scale * asked == pytest.approx(50)


def test_addresses_are_read_at_each_call():
    recorder = Recorder()
    for address in ("http://one", "http://two"):
        with conf.set_temp("viewer_url", address):
            viewer_picture(make_request("legacy"), recorder)
        assert recorder.url == address + "/jpeg-cutout"


@pytest.mark.parametrize("survey, service", PICTURES + FITS)
@pytest.mark.parametrize("kind, flag, says", [
    ("html", MorphFlag.UNREADABLE, "Down for maintenance"),
    ("json", MorphFlag.UNREADABLE, "overloaded"), ("cut", MorphFlag.UNREADABLE, "truncated"),
    ("502", MorphFlag.SERVER_ERROR, "502"), ("reset", MorphFlag.SERVER_ERROR, "no connection"),
    ("blank", MorphFlag.OUTSIDE_FOOTPRINT, "empty")])
def test_bad_answers_are_told_apart(survey, service, kind, flag, says, server, transport):
    only = {"sia": "/svc"}.get(service, "/")
    server.faults.set(rates={kind: 1.0}, only=only)
    with pytest.raises(FetchError, match=says) as caught:
        get_image_service(service)(make_request(survey), transport)
    assert caught.value.flag == flag
    mirror = service.startswith("hips2fits")  # is asked as well; a HiPS may lack a part
    assert caught.value.final == (kind == "blank" and not mirror)
    asked = server.stats.requests - server.stats.paths["/sia/des_dr2"]
    bands = {"sia": 4, "hips2fits-fits": 3}.get(service, 1)  # two tiles and two bands more
    assert asked == (bands if kind == "blank" else 2) * (2 if mirror else 1)  # retried once


@pytest.mark.parametrize("survey, service", PICTURES + FITS)
def test_a_second_attempt_heals(survey, service, server, transport):
    server.faults.set(plan={"/": ["html", "cut"] if service == "sia" else ["cut"]})
    with Transport(retries=2) as transport:
        assert get_image_service(service)(make_request(survey), transport).coverage == 1


@pytest.mark.parametrize("survey, service", PICTURES + FITS)
def test_a_frame_half_without_data(survey, service, server, transport):
    server.faults.set(rates={"half": 1.0})
    image = get_image_service(service)(make_request(survey), transport)
    assert image.coverage == pytest.approx(0.5, abs=0.03)
    assert image.flag == MorphFlag.PARTIAL_FRAME


@pytest.mark.parametrize("survey, service", PAIRS)
def test_outside_the_footprint(survey, service, server, transport):
    server.sky.footprints[survey] = (80, 85)
    with pytest.raises(FetchError, match="has no image of ra=") as caught:
        get_image_service(service)(make_request(survey), transport)
    assert caught.value.flag == MorphFlag.OUTSIDE_FOOTPRINT
    assert caught.value.final == (not service.startswith("hips2fits"))


@pytest.mark.parametrize("pixels", [64, 160, 424])
def test_skyserver_black_tile(pixels, server, transport):
    server.sky.footprints["sdss"] = (80, 85)
    server.faults.set(black_tile=True)
    with pytest.raises(FetchError, match="empty") as caught:
        get_image_service("skyserver")(make_request("sdss", pixels=pixels), transport)
    assert caught.value.flag == MorphFlag.OUTSIDE_FOOTPRINT and caught.value.final


@pytest.mark.parametrize("service", ["viewer", "viewer-fits"])
def test_an_unknown_layer_is_not_asked_again(service, server, transport):
    with pytest.raises(FetchError, match="no such layer") as caught:
        get_image_service(service)(make_request("legacy", layer="ls-dr99"), transport)
    assert caught.value.flag == MorphFlag.SERVER_ERROR and not caught.value.retry
    assert server.stats.requests == 1


def test_an_unknown_hips_is_not_asked_again(server, transport):
    with pytest.raises(FetchError, match="400") as caught:
        get_image_service("hips2fits")(make_request("sdss", hips={"color": "CDS/P/none"}),
                                       transport)
    assert caught.value.flag == MorphFlag.SERVER_ERROR and server.stats.requests == 1


def test_other_bands_than_asked(server, transport):
    with pytest.raises(FetchError, match="sent bands grz instead of grY") as caught:
        get_image_service("viewer-fits")(make_request("des", bands="gry"), transport)
    assert caught.value.flag == MorphFlag.MISSING_BAND and not caught.value.retry
    server.faults.set(rates={"bands": 1.0})
    with pytest.raises(FetchError, match="sent bands irg instead of gri"):
        get_image_service("viewer-fits")(make_request("sdss"), transport)


def test_a_band_without_data(server, transport):
    request = replace(make_request("legacy", bands="griz"), dec=40.0)
    image = get_image_service("viewer-fits")(request, transport)
    assert (image.coverage, image.flag) == (1, MorphFlag.MISSING_BAND)


def test_frames_are_shared_by_threads_and_failures_are_not_kept(server, transport):
    request = make_request("sdss")
    server.faults.set(plan={"/sas": ["500", "500"]})
    with pytest.raises(FetchError) as caught:
        get_image_service("sdss-frames")(request, transport)
    assert caught.value.flag == MorphFlag.SERVER_ERROR
    server.faults.clear()
    server.stats.reset()
    with ThreadPoolExecutor(8) as pool:
        service = get_image_service("sdss-frames")
        images = [*pool.map(lambda _: service(request, transport), range(16))]
    assert len({image.data for image in images}) == 1
    assert server.stats.paths["/sas"] == 4  # two fields were looked at in one band
    assert sum(count for path, count in server.stats.paths.items() if "esults" in path) == 16
    assert astroquery.cache_conf.cache_active


@pytest.mark.parametrize("kind", ["html", "cut"])
def test_damaged_frames(kind, server, transport):
    server.faults.set(rates={kind: 1.0}, only="/sas")
    with pytest.raises(FetchError, match="damaged") as caught:
        get_image_service("sdss-frames")(make_request("sdss"), transport)
    assert caught.value.flag == MorphFlag.UNREADABLE and server.stats.paths["/sas"] == 2


def test_a_page_is_no_table_of_fields(server, transport):
    get_image_service("sdss-frames")(make_request("sdss"), transport)
    server.faults.set(rates={"html": 1.0}, only="/dr17/en")
    with pytest.raises(FetchError, match="no table of fields") as caught:
        get_image_service("sdss-frames")(make_request("sdss"), transport)
    assert caught.value.flag == MorphFlag.UNREADABLE


def test_few_frames_are_kept(monkeypatch):
    asked = []
    monkeypatch.setattr(sdss_frames, "download_frame", lambda *key: asked.append(key[:3]))
    frames = sdss_frames.Frames()
    for field in [*range(12), 11, 0]:
        frames.get(field, "r", make_request("sdss"), None)
    assert [key[0] for key in asked] == [*range(12), 0]


def test_get_image_service():
    assert get_image_service(" Viewer-FITS ") is IMAGE_SERVICES["viewer-fits"]
    assert set(IMAGE_SERVICES) == {
        service for survey in SURVEYS.values() for service in survey.services}

    def my_service(request, transport):
        return ServiceImage(b"", "", "", 1.0)

    own = get_image_service(my_service)
    assert own.name == "my_service" and not own.local and own(make_request("des"), None).url == ""
    assert get_image_service(own) is own
    assert pickle.loads(pickle.dumps(IMAGE_SERVICES["hips2fits"])) == IMAGE_SERVICES["hips2fits"]
    with pytest.raises(ValueError, match="expected 'skyserver', .* Received 'skysever'"):
        get_image_service("skysever")
    with pytest.raises(ValueError, match="Received 3"):
        get_image_service(3)


def test_check_image_service():
    for survey, service in PAIRS:
        check_image_service(service, survey)
    check_image_service(lambda request, transport: None, "des")
    check_image_service(ImageService("viewer", print), "sdss")
    with pytest.raises(ValueError, match="Sky Survey .survey='sdss'., 'skyserver'.*'sia'"):
        check_image_service("sia", "sdss")
    with pytest.raises(ValueError, match="Received 'hips2fits'"):
        check_image_service("hips2fits", "des")
    with pytest.raises(ValueError, match="in the record of survey 'des'.*Received 'sia'"):
        check_image_service("sia", replace(SURVEYS["des"], sia=None))


def picture(pixels, kind="jpeg"):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, kind)
    return file.getvalue()


def noisy_sky(side=160, seed=1):
    """A dark sky with noise, as in pictures."""
    rng = np.random.default_rng(seed)
    return rng.normal(14, 4, (side, side, 3)).clip(1, 255)


def check(pixels, blank=(0, 0, 0), kind="jpeg"):
    return check_picture(picture(pixels, kind), make_request("sdss"), pixels=160, blank=blank)


def test_pictures_in_full_and_in_part():
    pixels = noisy_sky()
    assert check(pixels) == (1, 0)
    pixels[:, :40] = 0
    coverage, flag = check(pixels, kind="png")
    assert coverage == 0.75 and flag == MorphFlag.PARTIAL_FRAME
    pixels[:, :40] = 32
    assert check(pixels)[0] == 1
    coverage, flag = check(pixels, blank=(32, 32, 32))
    assert coverage == pytest.approx(0.75, abs=0.02) and flag == MorphFlag.PARTIAL_FRAME


def test_dark_pixels_inside_are_data():
    pixels = noisy_sky()
    pixels[50:90, 50:90] = 0
    pixels[::3, ::2] = 0
    assert check(pixels, kind="png") == (1, 0)


def test_white_blocks_are_saturated():
    pixels = noisy_sky()
    pixels[70:74, 70:74] = 255
    assert check(pixels)[1] == 0
    pixels[66:80, 66:80] = 255
    assert check(pixels)[1] == MorphFlag.SATURATED
    pixels[..., 2] = 200  # a bright blue or red core is not white
    assert check(pixels)[1] == 0


def test_pictures_of_one_color():
    with pytest.raises(FetchError) as caught:
        check(np.full((160, 160, 3), (200, 100, 100)), kind="png")
    assert caught.value.flag == MorphFlag.BLANK and not caught.value.final
    with pytest.raises(FetchError) as caught:
        check(np.full((160, 160, 3), 32), blank=(32, 32, 32))
    assert caught.value.flag == MorphFlag.OUTSIDE_FOOTPRINT and caught.value.final


@pytest.mark.parametrize("data, flag, retry, says", [
    (b"", MorphFlag.UNREADABLE, True, "sent nothing instead"),
    (b"<html><style>p {x: y}</style><p>Bad\n gateway</p>", MorphFlag.UNREADABLE, True,
     "text: 'Bad gateway'"),
    (b'{"title": "busy"}', MorphFlag.UNREADABLE, True, "busy"),
    (b"no such layer", MorphFlag.SERVER_ERROR, False, "no such layer"),
    (bytes(range(256)), MorphFlag.UNREADABLE, True, "something else"),
    (picture(noisy_sky())[:-1000], MorphFlag.UNREADABLE, True, "truncated"),
    (picture(noisy_sky(100)), MorphFlag.BAD_SHAPE, False, "100 x 100 pixels instead of 160")])
def test_what_is_no_picture_of_the_frame(data, flag, retry, says):
    with pytest.raises(FetchError, match=says) as caught:
        check_picture(data, make_request("sdss"), pixels=160)
    assert (caught.value.flag, caught.value.retry) == (flag, retry)


def cube(request, *, bands="gri", pixels=40, change=None):
    """Noise on a request's frame, as the viewer writes it."""
    header = frame_wcs(request, pixels).to_header()
    header["BANDS"] = bands
    header.update({f"BAND{number}": band for number, band in enumerate(bands)})
    if change:
        change(header)
    data = np.random.default_rng(2).normal(1, 0.1, (len(bands), pixels, pixels))
    file = io.BytesIO()
    fits.PrimaryHDU(data.astype(np.float32), header).writeto(file)
    return file.getvalue()


def test_fits_of_the_asked_frame():
    request = make_request("sdss")
    planes, header = check_fits(cube(request), request, bands="gri", pixels=40)
    assert planes.shape == (3, 40, 40) and planes.dtype == np.float32
    assert check_planes(planes, request) == (1, 0)


def flip(header):
    header["CDELT1"] = -header["CDELT1"]


def turn(header):
    header["CDELT1"], header["CDELT2"] = -header["CDELT1"], -header["CDELT2"]


def move(header):
    header["CRVAL2"] += 0.01


def rescale(header):
    header["CDELT1"], header["CDELT2"] = 1.2 * header["CDELT1"], 1.2 * header["CDELT2"]


def lose(header):
    header["CTYPE1"] = "nonsense"


@pytest.mark.parametrize("change", [flip, turn, move, rescale, lose])
def test_fits_of_another_frame(change):
    request = make_request("sdss")
    with pytest.raises(FetchError, match="frame|no usable celestial WCS") as caught:
        check_fits(cube(request, change=change), request, bands="gri", pixels=40)
    assert caught.value.flag & MorphFlag.UNREADABLE and not caught.value.retry


def exchange(header):
    header["BAND0"], header["BAND2"] = "i", "g"


@pytest.mark.parametrize("bands, change, flag, says", [
    ("grz", None, MorphFlag.MISSING_BAND, "bands grz instead of gri"),
    ("gri", exchange, MorphFlag.MISSING_BAND, "bands irg instead of gri"),
    ("gri", lambda header: header.remove("BANDS"), MorphFlag.MISSING_BAND, "without names")])
def test_fits_of_other_bands(bands, change, flag, says):
    request = make_request("sdss")
    with pytest.raises(FetchError, match=says) as caught:
        check_fits(cube(request, bands=bands, change=change), request, bands="gri", pixels=40)
    assert caught.value.flag == flag


@pytest.mark.parametrize("missing", [1, 3000, 18000])
def test_truncated_fits(missing):
    request = make_request("sdss")
    data = cube(request)
    data = data.rstrip(b"\0")[:-missing]
    with pytest.raises(FetchError, match="truncated") as caught:
        read_fits(data)
    assert caught.value.flag == MorphFlag.UNREADABLE and caught.value.retry


def test_fits_without_an_image():
    file = io.BytesIO()
    fits.PrimaryHDU().writeto(file)
    with pytest.raises(FetchError, match="no image"):
        read_fits(file.getvalue())


@pytest.mark.parametrize("empty", [0, np.nan])
def test_planes_in_part(empty):
    planes = np.random.default_rng(3).normal(1, 0.1, (3, 80, 80)).astype(np.float32)
    request = make_request("sdss")
    assert check_planes(planes, request) == (1, 0)
    part = planes.copy()
    part[0, :20] = empty
    assert check_planes(part, request) == (0.75, MorphFlag.PARTIAL_FRAME)
    hole = planes.copy()
    hole[:, 38:43, 38:43] = empty
    assert check_planes(hole, request)[1] == MorphFlag.SATURATED
    hole[0] = empty
    assert check_planes(hole, request)[1] == MorphFlag.SATURATED | MorphFlag.MISSING_BAND
    with pytest.raises(FetchError) as caught:
        check_planes(np.full_like(planes, empty), request)
    assert caught.value.flag == MorphFlag.OUTSIDE_FOOTPRINT and caught.value.final


def test_planes_of_one_value():
    with pytest.raises(FetchError, match="one value") as caught:
        check_planes(np.ones((3, 20, 20), np.float32), make_request("sdss"))
    assert caught.value.flag == MorphFlag.BLANK


def test_positions_beyond_an_image_have_no_flux():
    request = make_request("sdss", width=30.0)
    for elsewhere in ({"dec": -60.0}, {"dec": 30.1}, {"ra": 0.0, "dec": 0.0}):
        header = frame_wcs(replace(request, **elsewhere), 50).to_header()
        assert np.isnan(resample_to_frame(np.ones((50, 50)), header, request, 40)).all()


def test_a_hole_stays_a_hole():
    request = make_request("sdss", width=30.0)
    plane = np.ones((60, 60), np.float32)
    plane[40:50, 10:20] = np.nan
    seen = resample_to_frame(plane, frame_wcs(request, 60).to_header(), request, 60)
    assert np.array_equal(np.isnan(seen), np.isnan(plane))
    assert np.allclose(seen[:30], 1, atol=1e-3)


def test_resampling_to_the_frame():
    request = make_request("sdss", width=30.0)
    wcs = frame_wcs(replace(request, width=60.0), 120)
    angle = np.radians(70)  # and mirrored: parity follows the WCS
    wcs.wcs.pc = [[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    y, x = np.indices((120, 120))
    ra, dec = wcs.wcs_pix2world(x.ravel(), y.ravel(), 0)
    ramp = ((dec - request.dec) * 3600).reshape(120, 120)
    pixels = native_pixels(request)
    assert pixels == 76
    seen = resample_to_frame(ramp.astype(np.float32), wcs.to_header(), request, pixels)
    step = 30 / pixels
    assert np.allclose(seen, ((np.arange(pixels) - (pixels - 1) / 2) * step)[:, None], atol=0.01)
    wide = resample_to_frame(ramp, wcs.to_header(), replace(request, width=90.0), 90)
    assert np.isnan(wide).any() and np.isfinite(wide[45, 45])


@pytest.mark.parametrize("folder, survey, catalog", [
    pytest.param("gz2", "sdss", None, marks=pytest.mark.slow), ("sdss24", "sdss", None),
    ("decals", "legacy", "galaxy10_decals")])
def test_real_images_are_whole(real_data, folder, survey, catalog):
    with open(real_data / folder / "labels.csv", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)
                 if catalog in (None, row.get("catalog"))][:1000]
    blank = (0, 0, 0) if survey == "sdss" else (32, 32, 32)
    checked = []
    for name in names:
        data = (real_data / folder / name).read_bytes()
        side = Image.open(io.BytesIO(data)).size[0]
        checked.append(check_picture(data, make_request(survey), pixels=side, blank=blank))
    coverage, flags = np.array(checked).T
    assert (coverage > 0.98).mean() >= 0.995
    assert (flags.astype(int) & MorphFlag.SATURATED > 0).mean() < 0.01


@pytest.mark.parametrize("survey", ["legacy", "des"])
def test_the_viewers_picture_is_the_composite_of_its_flux(survey, server, transport):
    """The layer of the record has the color mapping that the weights know.

    JPEG halves the resolution of colors, which moves the noise of single pixels: means of 4 x 4.
    """
    request = make_request(survey)
    picture, flux = (look(get_image_service(service)(request, transport), request.survey, 40)
                     for service in ("viewer", "viewer-fits"))
    assert 255 * np.abs(picture - flux).mean() < 2


def test_other_layers_are_drawn_otherwise(server, transport):
    """What the former layer showed is not what the weights know."""
    request = make_request("legacy")
    flux = look(get_image_service("viewer-fits")(request, transport), request.survey, 40)
    other = make_request("legacy", layer="ls-dr10")
    picture = look(get_image_service("viewer")(other, transport), request.survey, 40)
    assert 255 * np.abs(picture - flux).mean() > 4


def test_a_failure_of_the_viewer_is_told_from_nothing_there(server, transport):
    """Its bare page says neither; two more requests, one of them for the picture, tell."""
    server.faults.set(plan={"/viewer/fits-cutout": ["500", "500"]})
    image = get_image_service("viewer-fits")(make_request("des"), transport)
    assert image.coverage == 1 and server.stats.requests == 4
    server.stats.reset()
    server.sky.footprints["des"] = (80, 85)
    for _ in range(12):  # more failures in a row than a host is allowed
        with pytest.raises(FetchError) as caught:
            get_image_service("viewer-fits")(make_request("des"), transport)
        assert caught.value.final and caught.value.flag == MorphFlag.OUTSIDE_FOOTPRINT
    assert server.stats.requests == 12 * 3


def test_frames_too_small_for_skyserver(server, transport):
    """It draws 0.015 arcsec per pixel at least: small frames get fewer pixels."""
    image = get_image_service("skyserver")(make_request("sdss", width=2.0), transport)
    assert read_cutout(image.data).pixels.shape[0] == 133
    with pytest.raises(FetchError) as caught:
        get_image_service("skyserver")(make_request("sdss", width=0.9), transport)
    assert caught.value.flag == MorphFlag.BAD_SIZE and server.stats.requests == 1


def test_the_mirror_answers_for_the_first_server(server, transport):
    server.faults.set(plan=lambda path, n: "502" if path == "/hips2fits" else None)
    image = get_image_service("hips2fits")(make_request("sdss"), transport)
    assert image.coverage == 1 and "/hips2fits-mirror" in image.url


def test_a_blank_hips_is_final_only_where_both_servers_are_blank(server, transport):
    """And only where the survey has no better service."""
    alone = {"services": ("hips2fits",)}
    server.faults.set(plan=lambda path, n: "blank" if path == "/hips2fits" else None)
    assert get_image_service("hips2fits")(make_request("sdss", **alone), transport).coverage == 1
    server.faults.set(plan=None, rates={"blank": 1.0})
    for record, final in ((alone, True), ({}, False)):
        with pytest.raises(FetchError) as caught:
            get_image_service("hips2fits")(make_request("sdss", **record), transport)
        assert caught.value.flag == MorphFlag.OUTSIDE_FOOTPRINT and caught.value.final == final
    with conf.set_temp("hips2fits_mirror_url", type(conf).hips2fits_mirror_url.defaultvalue):
        with pytest.raises(FetchError) as caught:  # a server of one's own has no mirror
            get_image_service("hips2fits")(make_request("sdss", **alone), transport)
    assert not caught.value.final


def test_half_a_picture_of_a_hips_is_half_transparent(server, transport):
    server.faults.set(rates={"half": 1.0})
    image = get_image_service("hips2fits")(make_request("sdss"), transport)
    assert image.data.startswith(b"\x89PNG") and image.flag == MorphFlag.PARTIAL_FRAME
    assert image.coverage == pytest.approx(0.5, abs=0.02)
    assert read_cutout(image.data).pixels[:60].max() == 0


def test_the_plain_coadd_of_the_tile_that_shows_the_galaxy(server, transport):
    """Of 66 files: neither twins nor masks, and not the deeper tile at the edge."""
    image = get_image_service("sia")(make_request("des"), transport)
    assert image.coverage == 1 and "_r4907+p01_g.fits" in image.url
    assert server.stats.paths["/svc/cutout"] == 4  # r of two tiles, two bands more


def test_a_small_answer_that_unpacks_to_a_large_image_is_refused():
    file = io.BytesIO()
    image = fits.CompImageHDU(np.zeros((10, 10), "f4"))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(file)
    data = file.getvalue()
    assert read_fits(data)[0].shape == (1, 10, 10)
    for key, value in (("ZNAXIS1", 10**6), ("ZVAL2", 65535)):
        at = data.index(key.ljust(8).encode() + b"=")
        with pytest.raises(FetchError, match="damaged"):
            read_fits(data[:at + 10] + f"{value:20d}".encode() + data[at + 30:])
