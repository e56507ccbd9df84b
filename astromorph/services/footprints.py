"""Where a survey has images: its coverage map (MOC) from the server of the CDS."""
import hashlib
import threading
from pathlib import Path

import numpy as np
from astropy import units as u

from astromorph.atomic import read_plain_file, write_file
from astromorph.distribution import install_command
from astromorph.errors import FetchError, warn, wrong
from astromorph.flags import MorphFlag
from astromorph.services.endpoints import conf
from astromorph.services.limits import answers_up_to

__all__ = ["Footprint"]

ORDER = 10
"""HEALPix order of the maps that are asked for: cells of 3.4 arcmin."""
_CELL = 58.6323 * 3600  # arcsec, side of a cell of order 0
_LARGEST = 2**23


class Footprint:
    """Tells which frames lie surely outside of a survey's coverage map.

    The map is asked for once, when the first frame is judged, checked, and kept in a folder. Where
    there is none to be had, no frame is outside.

    Parameters
    ----------
    survey : `~astromorph.surveys.Survey`
        Its ``moc`` names the map.
    folder : path, optional
        Where to keep maps; by default nowhere.

    Raises
    ------
    ArgumentError
        If mocpy is not installed.
    """

    def __init__(self, survey, folder=None):
        try:
            import mocpy  # noqa: F401
        except ImportError as error:
            raise wrong("footprint", "mocpy, which reads coverage maps", "none",
                        f"Install it: {install_command('footprints')}.") from error
        self._survey, self._maps, self._lock = survey, None, threading.Lock()
        self._path = folder and Path(folder) / "footprints" / (hashlib.sha256(
            f"{conf.moc_url} {survey.moc} {ORDER}".encode()).hexdigest() + ".txt")

    def excludes(self, request, transport=None):
        """Tell whether a frame lies surely outside, by more than a cell of the map.

        Parameters
        ----------
        request : `~astromorph.services.base.CutoutRequest`
        transport : `~astromorph.services.transport.Transport`, optional
            To ask for the map; without it, only one that is kept counts.

        Returns
        -------
        bool
        """
        with self._lock:
            if self._maps is None:
                kept = self._kept()
                if kept is None and transport is None:
                    return False
                found = self._asked(transport) if kept is None else kept
                self._maps = {} if found is None else {found.max_order: found.add_neighbours()}
        return bool(self._maps) and not self._around(request).contains_lonlat(
            np.array([request.ra]) * u.deg, np.array([request.dec]) * u.deg)[0]

    def _around(self, request):
        """The map with a margin of a cell, of an order whose cells are as large as the frame."""
        finest = max(self._maps)
        order = min(finest, max(int(np.log2(_CELL / (2 * request.width))), 0))
        with self._lock:
            if order not in self._maps:
                self._maps[order] = self._maps[finest].degrade_to_order(order).add_neighbours()
            return self._maps[order]

    def _kept(self):
        try:
            return self._path and _read(read_plain_file(self._path, _LARGEST))
        except (OSError, ValueError):
            return None

    def _asked(self, transport):
        params = {"expr": f"ID={self._survey.moc}", "get": "moc", "fmt": "ascii", "order": ORDER}
        try:
            with answers_up_to(_LARGEST):
                text = transport.get(conf.moc_url, params=params, check=_checked)
        except FetchError as error:
            warn(f"the coverage map of {self._survey.title} is not to be had, so all positions are "
                 f"asked for: {error}")
            return None
        if self._path:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_file(self._path, text)
            except OSError:
                pass  # it is asked for again
        return _read(text)


def _checked(response):
    """The body, if it is a map of a part of the sky."""
    try:
        _read(response.content)
    except ValueError as error:
        raise FetchError(f"the server sent no coverage map: {error}",
                         MorphFlag.UNREADABLE) from error
    return response.content


def _read(data):
    from mocpy import MOC

    try:
        found = MOC.from_string(data[:_LARGEST].decode("ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(" ".join(str(error).split())[:100]) from error
    if not (len(data) <= _LARGEST and 3 <= found.max_order and 0 < found.sky_fraction < 1):
        raise ValueError(f"order {found.max_order}, {found.sky_fraction:.2g} of the sky")
    return found
