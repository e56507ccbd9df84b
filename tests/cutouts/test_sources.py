"""What decides an image beside its frame."""
import functools
from dataclasses import replace

import pytest
from astroquery.sdss import conf as sdss_conf

from astromorph.cutouts.sources import image_source
from astromorph.services import IMAGE_SERVICES, conf, get_image_service
from astromorph.surveys import SURVEYS

LEGACY = SURVEYS["legacy"]


def mine(request, transport, layer="one"):
    return layer


class Mine:
    name = "mine"

    def __init__(self, source):
        self.source = source

    def __call__(self, request, transport):
        return self.source


def source(service, survey=LEGACY):
    return image_source(get_image_service(service), survey)


def test_all_that_decides():
    told = {source(service) for service in (*IMAGE_SERVICES, mine, functools.partial(
        mine, layer="two"), Mine("one"), Mine("two"))}
    told |= {source("viewer", replace(LEGACY, **{name: value})) for name, value in {
        "layer": "other", "release": "DR9", "hips": {"color": "x"}, "scales": {
            **LEGACY.scales, "r": 3.0}, "offset": 0.1, "name": "own"}.items()}
    assert None not in told and len(told) == len(IMAGE_SERVICES) + 4 + 6


def test_what_makes_no_difference():
    assert source("viewer") == source("viewer", replace(LEGACY))
    assert source("viewer") != source("viewer-fits")
    assert source(mine) == source(mine) == source(get_image_service(mine))
    assert source(lambda request, transport: None) is None


@pytest.mark.parametrize("service, item", [
    ("skyserver", "skyserver_url"), ("viewer", "viewer_url"), ("viewer-fits", "viewer_url"),
    ("hips2fits", "hips2fits_url"), ("hips2fits-fits", "hips2fits_mirror_url"), ("sia", "sia_url")])
def test_addresses(service, item):
    before = {name: source(name) for name in IMAGE_SERVICES}
    with conf.set_temp(item, "http://127.0.0.1:1/"):
        after = {name: source(name) for name in IMAGE_SERVICES}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if name.partition("-")[0] == item.partition("_")[0]}
    assert service in changed


def test_addresses_of_frames():
    before = source("sdss-frames")
    with sdss_conf.set_temp("sas_baseurl", "http://127.0.0.1:1/"):
        assert source("sdss-frames") != before
