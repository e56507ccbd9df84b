"""The Rubin Science Platform: SIA 2, DataLink and SODA, for those with the token."""
import numpy as np
from astropy.table import Table

from loopback.messages import BadRequest, Response, fits_file, plane_bytes, text
from loopback.sky import Grid
from loopback.votable import votable

__all__ = ["RUBIN_TOKEN", "rubin"]

RUBIN_TOKEN = "gt-not-a-secret"
_EM = {"u": (3.3e-7, 4e-7), "g": (4.02e-7, 5.52e-7), "r": (5.52e-7, 6.91e-7),
       "i": (6.91e-7, 8.18e-7), "z": (8.18e-7, 9.22e-7), "y": (9.22e-7, 1.06e-6)}
_LINKS = """<?xml version="1.0"?>
<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results"><TABLE><FIELD name="ID" datatype="char" arraysize="*"/>
<DATA><TABLEDATA><TR><TD>{id}</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE>
<RESOURCE type="meta" utype="adhoc:service" ID="cutout-sync">
<PARAM name="standardID" datatype="char" arraysize="*" value="ivo://ivoa.net/std/SODA#sync-1.0"/>
<PARAM name="accessURL" datatype="char" arraysize="*" value="{url}"/>
<GROUP name="inputParams"><PARAM name="ID" datatype="char" arraysize="*" value="{id}"/></GROUP>
</RESOURCE></VOTABLE>"""
_SCALE = 0.2


def rubin(request, sky, faults):
    """``/rubin/sia/dp1/query``, ``/rubin/datalink``, ``/rubin/cutout/sync``, and its result."""
    if request.authorization != f"Bearer {RUBIN_TOKEN}":
        return text("Authentication required", 401)
    path = request.path.removeprefix("/rubin/")
    if path == "cutout/sync":
        return Response(b"", "text/plain", 303, {
            "Location": f"{request.base}/rubin/result?{request.raw_query}"})
    return {"sia/dp1/query": _images, "datalink": _links, "result": _cutout}[path](request, sky)


def _circle(request):
    word, *numbers = request.query.get("pos", "").split()
    if word != "CIRCLE":
        raise BadRequest("POS must be CIRCLE ra dec radius")
    return map(float, numbers)


def _images(request, sky):
    """Two overlapping patches in each band: the first is the farther one."""
    ra, dec, _ = _circle(request)
    if request.query.get("dpsubtype") != "lsst.deep_coadd":
        raise BadRequest("DPSUBTYPE")
    rows = [(f"{request.base}/rubin/datalink?ID=patch{patch}-{band}", *em, (ra + away) % 360, dec)
            for patch, away in ((1, 0.1), (2, 0.01)) for band, em in _EM.items()]
    table = Table(rows=rows if sky.covers("rubin", dec) else None, names=(
        "access_url", "em_min", "em_max", "s_ra", "s_dec"), dtype=(str, *[float] * 4))
    return Response(votable(table), "application/x-votable+xml")


def _links(request, sky):
    url = f"{request.base}/rubin/cutout/sync"
    return text(_LINKS.format(id=request.query["id"], url=url), 200, "application/x-votable+xml")


def _cutout(request, sky):
    """Flux in nJy; of the patch that should not be taken a constant."""
    ra, dec, radius = _circle(request)
    patch, band = request.query["id"].split("-")
    side = int(2 * radius * 3600 / _SCALE)
    grid = Grid.centered(ra, dec, scale=_SCALE, width=side, height=side)
    plane = 3631 * sky.view("rubin", grid, (band,), cut=request.cut).planes()[0]
    plane = plane if patch == "patch2" else np.full_like(plane, 5)
    cards = [("BUNIT", "nJy"), ("BAND", band), *grid.cards()]
    return Response(fits_file(cards, plane_bytes(plane), shape=(side, side)), "image/fits")
