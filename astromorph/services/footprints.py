"""Coverage maps (MOC) of surveys, from the server of the CDS."""
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
"""HEALPix order of the maps, with cells of 3.4 arcmin (int)."""
_CELL = 58.6323 * 3600  # side of a cell of order 0, in arcsec
_LARGEST = 2**23


class Footprint:
    """The coverage map of a survey, which shows the frames that are surely outside.

    astromorph downloads the map once, for the first frame, and keeps it in a folder. Without a map,
    no frame counts as outside.

    Parameters
    ----------
    survey : `~astromorph.surveys.Survey`
        The survey. Its ``moc`` names the map.
    folder : path, optional
        Folder in which to keep maps. By default they are not kept.

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
        """Tell whether a frame is surely outside, by more than a cell of the map.

        Parameters
        ----------
        request : `~astromorph.services.base.CutoutRequest`
            The request for the frame.
        transport : `~astromorph.services.transport.Transport`, optional
            Transport to download the map with. By default only a map in the folder counts.

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
        """The map with a margin of one cell, in the order whose cells are as large as the frame."""
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
            warn(f"The coverage map of {self._survey.title} could not be downloaded, so astromorph "
                 f"requests all positions: {error}")
            return None
        if self._path:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_file(self._path, text)
            except OSError:
                pass  # the next run downloads the map again
        return _read(text)


def _checked(response):
    """The body of a response; raise unless it is a map of a part of the sky."""
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
