"""Positions of a catalog -> network pixels, row by row."""
from collections import Counter
from dataclasses import replace

import numpy as np
from astropy import units as u
from astropy.table import Table

from astromorph.cutouts.fetching import PREFETCH, CutoutFetcher, check_names
from astromorph.running.fingerprints import fingerprint
from astromorph.flags import MorphFlag
from astromorph.galaxies.given import column, describe_survey
from astromorph.images import load_frame
from astromorph.tables.positions import arcseconds, find_positions, find_sizes

__all__ = ["SkyRows"]

_MEASURE_WIDTHS = (80.0, 320.0)
"""Arcseconds: frames to measure R90 in, the second where the galaxy overflows the first."""


class SkyRows:
    """The rows of a table of positions; the parameters are those of
    `~astromorph.classifier.MorphologyClassifier.classify`, and ``frame_r90``, the width of the
    network's frame in R90. A context manager: on leaving, requests are given up.

    Attributes
    ----------
    table : `~astropy.table.Table`
        The table to fill, a copy.
    services : list of callable
        The image services, in the order in which they are tried.
    threads, ahead : int
        Threads that load rows by default, and rows to load ahead.
    together : int
        Rows that a thread loads at a time: services answer one after the other.
    transient : `~astromorph.flags.MorphFlag`
        The bits that another attempt may clear: damaged answers leave UNREADABLE.
    """

    prefetch, chunk = PREFETCH, 1
    retryable = (MorphFlag.SERVER_ERROR | MorphFlag.TIMED_OUT | MorphFlag.NOT_CACHED
                 | MorphFlag.UNREADABLE)

    def __init__(self, data, survey, *, frame_r90, cutout_r90=None, r90=None, width=None,
                 bands=None, names=None, provenance=False, ra=None, dec=None, **fetch):
        try:
            self._ra, self._dec = find_positions(data, ra=ra, dec=dec)
        except ValueError as error:
            raise ValueError(f"{error} For a table of images, say images= their column.") from None
        self.table = data.copy() if isinstance(data, Table) else Table(
            {"ra": self._ra * u.deg, "dec": self._dec * u.deg})
        self._names = check_names(column(data, names, "names"), len(self))
        self._widths, self._r90 = _widths_and_r90(data, len(self), frame_r90, cutout_r90, r90,
                                                  width)
        self._provenance = provenance
        self._fetcher = CutoutFetcher(survey, bands=bands, **fetch)
        self.survey, self.services = self._fetcher.survey, self._fetcher.services
        self.table.meta["MORPHIMG"] = f"{self.survey.title} {self.survey.release}".strip()
        self.threads = self._fetcher.threads

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._fetcher.close()

    def __len__(self):
        return self._ra.size

    def __iter__(self):
        return ((self._fetcher.request(*frame), r90) for *frame, r90 in zip(
            self._ra, self._dec, self._widths, self._names, self._r90))

    def identity(self):
        """What the rows are, by name (dict): equal for the same frames by the same services."""
        frames = {"positions": [self._ra, self._dec], "width": self._widths,
                  "r90": np.array(self._r90, float),
                  "names": self._names if any(self._names) else None}
        fetcher = self._fetcher
        return {"data": "positions", "rows": len(self),
                **{name: fingerprint(values) for name, values in frames.items()},
                "survey": describe_survey(self.survey), "bands": "".join(fetcher.bands),
                "pixels": fetcher.pixels,
                "services": [getattr(service, "source", service.name) for service in fetcher.services]}

    def load(self, row, size, frame_r90, margin=0):
        """(pixels, flag, provenance or None) of a row; raises CutoutError and FetchError."""
        request, r90 = row
        cutout = self._fetcher.fetch(request)
        pixels, flag = load_frame(
            cutout.image.data, size, frame_r90=frame_r90, survey=self.survey, r90_arcsec=r90,
            cutout_r90="measure" if r90 is None else None, pixel_scale=cutout.image.pixel_scale,
            margin=margin)
        flag |= cutout.image.flag
        provenance = cutout.provenance if self._provenance else None
        if r90 is not None:
            return pixels, flag, provenance
        if flag & MorphFlag.NO_SIZE and request.width < _MEASURE_WIDTHS[1]:
            wider = self.load((replace(request, width=_MEASURE_WIDTHS[1]), r90), size, frame_r90,
                              margin)
            if not wider[1] & MorphFlag.NO_SIZE:
                return wider
        return pixels, flag | MorphFlag.MEASURED_SIZE, provenance

    def forecast(self):
        """How many rows `load` would have what to do for; see `CutoutFetcher.forecast`."""
        return Counter(self._fetcher.forecast(request) for request, _ in self)

    def fetch(self, number):
        """The image of a row by its number; raises FetchError."""
        return self._fetcher.fetch(self._fetcher.request(
            self._ra[number], self._dec[number], self._widths[number], self._names[number]))


def _widths_and_r90(data, n, frame_r90, cutout_r90, r90, width):
    """Widths of the cutouts and R90 (None to measure it) in arcseconds, one a row."""
    if isinstance(cutout_r90, str):
        if cutout_r90 != "measure" or r90 is not None:
            raise ValueError('cutout_r90: expected a number, or "measure" without r90=. '
                             f"Received {cutout_r90!r} and r90={r90!r}.")
        wide = _MEASURE_WIDTHS[0] * u.arcsec if width is None else width
        return arcseconds(data, wide, "width"), [None] * n
    sizes = find_sizes(data, r90=r90)
    if width is not None:
        widths = arcseconds(data, width, "width")
        usual = widths / frame_r90
        return widths, usual if sizes is None else np.where(sizes > 0, sizes, usual)
    if sizes is None:
        raise ValueError(
            "r90: found no column with the sizes of the galaxies. Expected one such as petroR90_r, "
            "or r90= (its name, or an angle), or width= (the width of the frames, an angle), or "
            'cutout_r90="measure" (measure R90 on each image).')
    return sizes * (frame_r90 if cutout_r90 is None else float(cutout_r90)), sizes
