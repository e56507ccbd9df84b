"""The CDS's server of coverage maps (MOC)."""
import numpy as np
from astropy_healpix import HEALPix

from astromorph.surveys import SURVEYS
from loopback.messages import text

__all__ = ["coverage"]

_ORDER = 6  # cells of 0.9 degrees


def coverage(request, sky, faults):
    """``query?expr=ID=<id>&get=moc&fmt=ascii&order``: all cells that a survey may touch."""
    known = {survey.moc: survey.name for survey in SURVEYS.values() if survey.moc}
    name = known.get(request.query.get("expr", "").removeprefix("ID="))
    if name is None or request.query.get("get") != "moc":
        return text(f"{_ORDER}/")
    healpix = HEALPix(2**_ORDER, "nested")
    cells = np.arange(healpix.npix)
    dec = healpix.healpix_to_lonlat(cells)[1].deg
    low, high = sky.footprints[name]
    seen = cells[(dec > low - 1) & (dec < high + 1)]
    return text(f"{_ORDER}/" + " ".join(map(str, seen)))
