"""Galaxies by their positions, with images from a survey."""
from collections import Counter
from dataclasses import replace

import numpy as np
from astropy import units as u
from astropy.table import Table

from astromorph.cutouts.fetching import PREFETCH, PROVENANCE, CutoutFetcher, check_ids
from astromorph.errors import ImageError, warn, wrong
from astromorph.flags import MorphFlag
from astromorph.galaxies.frames import MEASURE, FrameOptions, column
from astromorph.galaxies.given import describe_survey
from astromorph.galaxies.loaded import Loaded, measured_twice
from astromorph.images.frames import read_frame
from astromorph.names import file_stem
from astromorph.running.fingerprints import describe_callable, fingerprint
from astromorph.tables.positions import find_positions

__all__ = ["SkyPositions"]

_SAME = 1 / 3600  # degrees


class SkyPositions:
    """Galaxies by their positions; a `~astromorph.galaxies.GalaxySource`.

    Leaving the context cancels open requests.

    Parameters
    ----------
    data : `~astropy.table.Table` or `~astropy.coordinates.SkyCoord`
        The positions.
    survey : str or `~astromorph.surveys.Survey`
        Survey of the images.
    frame_r90 : float
        Width of the network's frame in R90.
    frames : FrameOptions
        The known sizes.
    ids : str, optional
        Column of identifiers, which name the images in a local folder. An identifier of several
        positions finds no image, nor does one that shares its file name with another.
    provenance : bool
        Whether to add columns with the provenance of the images.
    ra, dec : str, optional
        Columns of the positions.
    **fetch
        See `~astromorph.cutouts.FetchOptions`.

    Attributes
    ----------
    services : list of callable
        The image services, in the order in which astromorph tries them.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.
    """

    prefetch, chunk = PREFETCH, 1  # each thread waits for one image at a time
    # UNREADABLE too, because a damaged answer of a service may be whole next time.
    retryable = (MorphFlag.SERVER_ERROR | MorphFlag.TIMED_OUT | MorphFlag.NOT_CACHED
                 | MorphFlag.UNREADABLE | MorphFlag.READ_ERROR)

    def __init__(self, data, survey, *, frame_r90, frames=FrameOptions(), ids=None,
                 provenance=False, ra=None, dec=None, **fetch):
        try:
            self._ra, self._dec = find_positions(data, ra=ra, dec=dec)
        except ValueError as error:
            raise wrong("data", "a table with positions, or images= (the column of images)",
                        f"one without ({error})") from error
        self.table = data.copy() if isinstance(data, Table) else Table(
            {"ra": self._ra * u.deg, "dec": self._dec * u.deg})
        self._ids = _told_apart(check_ids(column(data, ids, "ids"), len(self)), self._ra, self._dec)
        self._widths, self._r90 = frames.of_positions(data, len(self), frame_r90)
        self._fetcher = CutoutFetcher(survey, **fetch)
        self.provenance_columns = PROVENANCE if provenance else {}
        self.survey, self.services = self._fetcher.survey, self._fetcher.services
        release = self.survey.releases.get(self.services[0].name, self.survey.release)
        self.table.meta["MORPHIMG"] = f"{self.survey.title} {release}".strip()
        self.threads = self._fetcher.threads

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._fetcher.close()

    def __len__(self):
        return self._ra.size

    def __iter__(self):
        return ((self._fetcher.request(*frame), r90) for *frame, r90 in zip(
            self._ra, self._dec, self._widths, self._ids, self._r90, strict=True))

    def identity(self):
        """Describe the rows by name; equal for the same frames from the same services."""
        frames = {"positions": [self._ra, self._dec], "width": self._widths,
                  "r90": np.array(self._r90, float),
                  "ids": self._ids if any(self._ids) else None}
        fetcher = self._fetcher
        return {"data": "positions", "rows": len(self),
                **{name: fingerprint(values) for name, values in frames.items()},
                "survey": describe_survey(self.survey), "bands": "".join(fetcher.bands),
                "pixels": fetcher.pixels,
                "services": [*map(_told, fetcher.services, fetcher.sources)]}

    def load(self, item, size, frame_r90, margin=0):
        """Load one row; see `~astromorph.galaxies.GalaxySource`."""
        request, r90 = item

        def load(width):
            cutout = self._fetcher.fetch(replace(request, width=width))
            pixels, flag, scale = read_frame(
                cutout.image.data, size, frame_r90=frame_r90, survey=self.survey,
                r90=MEASURE if r90 is None else r90, pixel_scale=cutout.image.pixel_scale,
                margin=margin)
            return Loaded(pixels, flag | cutout.image.flag,
                          cutout.provenance if self.provenance_columns else None,
                          pixel_scale=scale)

        try:
            return measured_twice(load, request.width) if r90 is None else load(request.width)
        except ImageError as error:
            return Loaded.failed(error)

    def forecast(self):
        """Count what `load` would have to do, without any request.

        Returns
        -------
        `~collections.Counter`
            Number of rows per result of `~astromorph.cutouts.CutoutFetcher.forecast`.
        """
        return Counter(self._fetcher.forecast(request) for request, _ in self)

    def fetch(self, number):
        """Fetch the image of one row.

        Parameters
        ----------
        number : int
            Number of the row, from 0.

        Returns
        -------
        `~astromorph.cutouts.fetching.FetchedCutout`

        Raises
        ------
        `~astromorph.errors.FetchError`
            If no service delivers the image.
        """
        return self._fetcher.fetch(self._fetcher.request(
            self._ra[number], self._dec[number], self._widths[number], self._ids[number]))


def _told(service, source):
    """Describe a service for a checkpoint."""
    source = getattr(service, "source", None) or source or describe_callable(service)
    if source is None:
        raise wrong("services", "services that a checkpoint can identify: functions of a module, "
                    "or objects that can be pickled", service.name,
                    "Or give it an attribute source, a text that says which images it delivers.")
    return f"{service.name} {fingerprint(source)}"


def _told_apart(names, ra, dec):
    """The names, None where the file of that name may show a galaxy at another position."""
    first, shared = {}, set()
    for name, *position in zip(names, ra, dec):
        if name is not None:
            stem = file_stem(name)
            other, place = first.setdefault(stem, (name, position))
            if other != name or np.max(np.abs(np.subtract(place, position))) > _SAME:
                shared.add(stem)
    if shared:
        warn(f"{len(shared)} identifiers belong to several galaxies, such as "
             f"{min(shared)!r:.60}. These galaxies get no local images; make identifiers unique.")
    return [None if name is None or file_stem(name) in shared else name for name in names]
