"""Fetch images of positions: from the cache, or from the survey's image services in order."""
import errno
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from astromorph.arguments import as_path, as_seconds, check_count
from astromorph.atomic import write_file
from astromorph.cutouts.cache import CutoutCache, cache_key
from astromorph.cutouts.options import FetchOptions
from astromorph.cutouts.sources import image_source
from astromorph.errors import FetchError, keeps_result, wrong
from astromorph.flags import MorphFlag
from astromorph.images.bands import band_names, band_text
from astromorph.names import as_names, file_stem
from astromorph.running.results import add_provenance
from astromorph.running.streaming import Outcomes, read_ahead, thread_pool
from astromorph.services import IMAGE_SERVICES, check_image_service, get_image_service
from astromorph.services.base import CutoutRequest, ServiceImage, is_local
from astromorph.services.errors import judging
from astromorph.services.footprints import Footprint
from astromorph.services.framing import largest_answer
from astromorph.services.limits import answers_up_to
from astromorph.services.transport import Transport
from astromorph.surveys import get_survey
from astromorph.tables.positions import arcseconds, find_positions

__all__ = ["PROVENANCE", "CutoutFetcher", "FetchedCutout", "check_ids", "fetch_cutouts"]

PIXELS = 212
"""Side of a cutout in pixels. A frame then has 50 pixels per R90, as in Galaxy Zoo 2."""
MAX_WIDTH = 3600.0  # arcseconds; only galaxies such as M31 need more
PREFETCH = 1024
_FLAGS = sum(MorphFlag)

PROVENANCE = {  # column: (type, unit, description, UCD)
    "cutout_service": (str, None, "Image service of the image", "meta.id;meta.dataset"),
    "cutout_url": (str, None, "Address of the image", "meta.ref.url"),
    "cutout_release": (str, None, "Data release of the image", "meta.version"),
    "cutout_bands": (str, None, "Bands of the image", "instr.bandpass"),
    "cutout_scale": (float, u.arcsec / u.pix, "Pixel scale of the image", "instr.scale"),
    "cutout_coverage": (float, None, "Fraction of the image with data", "stat.filling"),
    "cutout_sha256": (str, None, "Checksum (SHA-256) of the image file", "meta.checksum"),
}
"""Columns of an image's provenance: name to (type, unit, description, UCD) (`dict`)."""


@dataclass(frozen=True)
class FetchedCutout:
    """An image with its service and its file in the cache.

    Parameters
    ----------
    image : `~astromorph.services.base.ServiceImage`
        The image.
    service : str
        Name of the service that delivered it.
    path : `~pathlib.Path` or None
        Its file in the cache; None if it is not cached.
    """

    image: ServiceImage
    service: str
    path: Path | None = None

    @property
    def provenance(self):
        """Values of the columns `PROVENANCE` (tuple)."""
        image = self.image
        return (self.service, image.url, image.release, image.bands, image.pixel_scale,
                image.coverage,
                hashlib.sha256(image.data).hexdigest())


class CutoutFetcher:
    """Fetches images of positions within the limits of the image services.

    Many threads may share it. As a context manager it closes on leaving.

    Parameters
    ----------
    survey : str or `~astromorph.surveys.Survey`
        Survey of the images.
    **options
        See `FetchOptions`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.
    """

    def __init__(self, survey="sdss", **options):
        options = FetchOptions.of(options)
        self.survey = get_survey(survey)
        self.bands = tuple(band_names(options.bands or self.survey.rgb[::-1], self.survey))
        unknown = set(self.bands) - {band.lower() for band in self.survey.bands}
        if unknown:
            raise wrong("bands", f"some of {self.survey.title}, {band_text(self.survey.bands)}",
                        f"others, {', '.join(sorted(unknown))}")
        if options.pixels is not None:
            check_count(options.pixels, "pixels")
        self.pixels, services = options.pixels, options.services
        single = services is None or isinstance(services, str) or callable(services)
        self.services = [get_image_service(service) for service in (
            self.survey.services if services is None else [services] if single else services)]
        if not self.services:
            such = f", such as {', '.join(map(repr, self.survey.services))}"
            raise wrong("services", "at least one image service" + such * bool(
                self.survey.services), "none", None if self.survey.services else
                f"{self.survey.title} has none: classify files that you have (images=).")
        for service in self.services:
            check_image_service(service, self.survey)
        self.sources = [None if is_local(service) else image_source(service, self.survey)
                        for service in self.services]
        self.cache = _cache(options.cache)
        self.offline = options.offline
        self.max_age = None if options.max_age is None else as_seconds(
            options.max_age, "max_age")
        self._footprint = Footprint(self.survey, self.cache and self.cache.folder) if (
            options.footprint and self.survey.moc) else None
        # Twice as many, because some threads wait for their turn or for another process.
        self.threads = 2 * options.per_host
        self._transport = Transport(per_host=options.per_host, timeout=options.timeout,
                                    retries=options.retries)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Close connections, cancel waiting requests, and warn if images were not kept."""
        self._transport.close()
        if self.cache is not None:
            self.cache.warn_of_failures()

    def request(self, ra, dec, width, name=None, *, pixels=None):
        """Make the request for one frame.

        Parameters
        ----------
        ra, dec : float
            Center of the frame (ICRS, degrees).
        width : float
            Side of the frame in arcseconds.
        name : str, optional
            Identifier of the galaxy.
        pixels : int, optional
            Side of the image in pixels.

        Returns
        -------
        `~astromorph.services.base.CutoutRequest`
        """
        return CutoutRequest(float(ra), float(dec), float(width), pixels or self.pixels or PIXELS,
                             self.survey, self.bands, name)

    def fetch(self, request):
        """Fetch one image.

        Parameters
        ----------
        request : `~astromorph.services.base.CutoutRequest`
            The request.

        Returns
        -------
        FetchedCutout

        Raises
        ------
        `~astromorph.errors.FetchError`
            If no service delivers an image. Its ``flag`` says why.
        """
        self._check(request, None if self.offline else self._transport)
        cached, fresh = self._cached(request)
        if fresh:
            return cached
        errors = []
        for service, source in zip(self.services, self.sources):
            try:
                return self._through(service, source, request)
            except FetchError as error:
                if error.final:
                    raise
                errors.append((service, error))
        if cached is not None:
            return cached if self.offline else _flagged(cached, MorphFlag.STALE)
        raise _combined(errors)

    def forecast(self, request):
        """Predict what `fetch` would do first, without any request.

        Parameters
        ----------
        request : `~astromorph.services.base.CutoutRequest`
            The request.

        Returns
        -------
        str
            ``"refused"`` if there can be no image, ``"local"`` for a local source, ``"cached"``,
            ``"request"``, or ``"missing"`` if it is offline and would need a request.
        """
        try:
            self._check(request)
        except FetchError:
            return "refused"
        if any(key in self.cache for key in self._keys(request)):
            return "cached"
        if is_local(self.services[0]):
            return "local"
        return "missing" if self.offline else "request"

    def _check(self, request, transport=None):
        if not (np.isfinite(request.ra) and abs(request.dec) <= 90):
            raise FetchError("the position is missing or not on the sphere; expected right "
                             "ascension and declination (ICRS)", MorphFlag.BAD_COORDINATE)
        if not 0 < request.width <= MAX_WIDTH:
            raise FetchError(f"the frame would be {request.width:.4g} arcsec wide; expected more "
                             f"than 0 and at most {MAX_WIDTH:.0f}: check the size of the galaxy",
                             MorphFlag.BAD_SIZE)
        if any(map(is_local, self.services)):
            return
        low, high = self.survey.declinations
        if not low <= request.dec <= high:
            raise FetchError(f"{self.survey.title} has no images at declination "
                             f"{request.dec:.4g} degrees, only from {low:g} to {high:g}",
                             MorphFlag.OUTSIDE_FOOTPRINT, final=True)
        if self._footprint is not None and self._footprint.excludes(request, transport):
            raise FetchError(f"{self.survey.title} has no images around ra={request.ra:.5f}, "
                             f"dec={request.dec:.5f}, by its coverage map",
                             MorphFlag.OUTSIDE_FOOTPRINT, final=True)

    def _cached(self, request):
        """The first fresh image in the cache, else the first old one, and whether it is fresh."""
        old = None
        for key in self._keys(request):
            entry = self.cache.get(key)
            image = entry and _from_entry(entry)
            if image is not None and self._is_fresh(entry):
                return image, True
            old = old or image
        return old, False

    def _keys(self, request):
        """Keys of the image in the cache, one per service."""
        return [cache_key(request, source) for source in self.sources if source is not None
                ] if self.cache is not None else []

    def _is_fresh(self, entry):
        return self.offline or self.max_age is None or entry.age <= self.max_age

    def _through(self, service, source, request):
        """Fetch an image from one service, and cache it."""
        if is_local(service):
            return FetchedCutout(service(request, self._transport), service.name)
        if self.offline:
            raise FetchError("working offline, and the cache has no such image; run once without "
                             "offline=True", MorphFlag.NOT_CACHED)
        if self.cache is None or source is None:
            return FetchedCutout(self._ask(service, request), service.name)
        key = cache_key(request, source)
        with self.cache.claim(key, self._transport.is_closed):
            entry = self.cache.get(key)  # another thread or process may have stored it meanwhile
            cutout = entry and self._is_fresh(entry) and _from_entry(entry)
            if cutout:
                return cutout
            image = self._ask(service, request)
            entry = self.cache.put(key, image.data, _meta(image, service.name, request),
                                   suffix=_suffix(image.data))
        return FetchedCutout(image, service.name, entry.path if entry else None)

    def _ask(self, service, request):
        """Ask a service for an image; limits and translation of errors apply to known services."""
        if IMAGE_SERVICES.get(service.name) is not service:
            return service(request, self._transport)
        with answers_up_to(largest_answer(request)), judging(service.name):
            return service(request, self._transport)


def _cache(cache):
    if cache is None or cache is False:
        return None
    if cache is True:
        return CutoutCache()
    return cache if isinstance(cache, CutoutCache) else CutoutCache(cache)


def _suffix(data):
    return ".jpg" if data[:2] == b"\xff\xd8" else ".png" if data[:4] == b"\x89PNG" else ".fits"


def _meta(image, service, request):
    return {"service": service, "url": image.url, "bands": image.bands,
            "pixel_scale": image.pixel_scale, "coverage": image.coverage, "flag": int(image.flag),
            "ra": request.ra, "dec": request.dec, "width": request.width,
            "survey": request.survey.name, "release": image.release}


def _from_entry(entry):
    """Make the image of an entry; None if its metadata is invalid."""
    meta = entry.meta
    try:
        texts = [meta[name] for name in ("service", "url", "bands", "release")]
        scale, coverage, flag = meta["pixel_scale"], meta["coverage"], MorphFlag(meta["flag"])
        if not (all(isinstance(text, str) for text in texts) and 0 <= coverage <= 1
                and (scale > 0 or np.isnan(scale)) and 0 <= meta["flag"] <= _FLAGS):
            return None
    except Exception:  # the file may hold anything
        return None
    service, url, bands, release = texts
    image = ServiceImage(entry.data, url, bands, float(scale), float(coverage), flag, release)
    return FetchedCutout(image, service, entry.path)


def _flagged(cutout, flag):
    return replace(cutout, image=replace(cutout.image, flag=cutout.image.flag | flag))


_NOBODY = ("no image service could be reached: check the network, and run it again, which goes on "
           "with what is missing; images= takes files of this machine, offline=True only the cache")


def _combined(errors):
    """Combine the errors of all services into one."""
    flag = MorphFlag(0)
    for _, error in errors:
        flag |= error.flag
    if not flag & MorphFlag.UNCLASSIFIED:
        flag |= MorphFlag.SERVER_ERROR
    told = {str(error): service.name for service, error in reversed(errors)}
    told = [text if len(told) == 1 else f"{name}: {text}" for text, name in reversed(told.items())]
    if all(error.unreachable for _, error in errors):
        told.insert(0, _NOBODY)
    return FetchError("; ".join(told), flag)


@keeps_result
def fetch_cutouts(coords, width, *, survey="sdss", ids=None, folder=None, progress=None,
                  **options) -> Table:
    """Download images of positions from a survey's image services, or take them from the cache.

    Parameters
    ----------
    coords : `~astropy.coordinates.SkyCoord` or `~astropy.table.Table`
        Positions. A table has a SkyCoord column, or columns of right ascension and declination.
    width : `~astropy.units.Quantity`
        Side of the images, an angle: one for all, or one per position.
    survey : str or `~astromorph.surveys.Survey`
        Survey of the images.
    ids : sequence of str, optional
        Identifiers of the galaxies. They name the files in ``folder`` and find those in a local
        source. In ``folder``, the row's number names the file of a row without identifier.
    folder : path, optional
        Copy the images to this folder; each row needs a file name of its own. By default the result
        lists the files in the cache.
    progress : bool, optional
        True shows a progress bar, False shows nothing. By default a terminal and a notebook show a
        bar, and other places get a line on stderr about every half minute.
    **options
        Options of `~astromorph.cutouts.FetchOptions`.

    Returns
    -------
    `~astropy.table.Table`
        One row per position: ``ra``, ``dec``, ``file`` (empty without an image), ``morph_flag`` and
        the columns of `~astromorph.cutouts.PROVENANCE`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value. A position without an image never raises.

    Warns
    -----
    AstromorphWarning
        If images are missing, or the cache cannot store them.

    See Also
    --------
    read_cutout : Read one of the images.
    astromorph.MorphologyClassifier.classify : Classify galaxies by their positions.

    Examples
    --------
    >>> from astropy import units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from astromorph import fetch_cutouts
    >>> galaxies = SkyCoord([184.74, 202.47], [47.30, 47.20], unit="deg")
    >>> table = fetch_cutouts(galaxies, 2 * u.arcmin, survey="sdss")  # doctest: +SKIP

    From images of your own, named after the galaxies, it needs no network:

    >>> from pathlib import Path
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.services import LocalFolder
    >>> sample = load_sample()
    >>> images = LocalFolder(Path(sample["file"][0]).parent, "{name}.fits")
    >>> names = [Path(file).stem for file in sample["file"][:2]]
    >>> table = fetch_cutouts(galaxies, 30 * u.arcsec, ids=names, services=images)
    >>> table["cutout_service", "cutout_bands", "morph_flag"].pprint()
    cutout_service cutout_bands morph_flag
    -------------- ------------ ----------
      local-folder          gri          0
      local-folder          gri          0
    """
    ra, dec = find_positions(coords)
    widths = arcseconds(coords, width, "width")
    ids = check_ids(ids, ra.size)
    stems = [file_stem(name or str(number)) for number, name in enumerate(ids)]
    if folder is not None:
        folder = as_path(folder, "folder")
        _check_stems(stems)
    with CutoutFetcher(survey, **options) as fetcher, thread_pool(fetcher.threads) as pool, \
            Outcomes(ra.size, progress, "images") as outcomes:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        elif fetcher.cache is None:
            raise wrong("folder", "a folder for the images, because there is no cache", "none")

        def get(row):
            number, (*frame, name) = row
            try:
                cutout = fetcher.fetch(fetcher.request(*frame, name))
                file = cutout.path if folder is None else _save(cutout, folder, stems[number])
            except FetchError as error:
                return _Row("", error.flag, None, error)
            return _Row(str(file or ""), cutout.image.flag, cutout.provenance, None)

        rows = enumerate(zip(ra, dec, widths, ids))
        results = list(outcomes.counting(read_ahead(pool, get, rows, PREFETCH)))
    outcomes.warn("fetched")
    files, flags, provenance, _ = zip(*results) if results else ((), (), (), ())
    table = Table({"ra": ra * u.deg, "dec": dec * u.deg, "file": np.array(files, str)})
    table["morph_flag"] = Column(np.array(flags, np.int32), description="Quality bits, 0 is good")
    add_provenance(table, PROVENANCE, provenance)
    return table


class _Row(NamedTuple):
    file: str
    flag: MorphFlag
    provenance: tuple | None
    error: FetchError | None


def check_ids(ids, n):
    """Convert the identifiers of n positions to text, None where they are missing."""
    if ids is None:
        return [None] * n
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__len__") or len(ids) != n:
        raise wrong("ids", f"{n} identifiers, one per position", f"{ids!r:.60}")
    return as_names(ids)


def _check_stems(stems):
    """Raise if two rows would write the same file; some file systems ignore the case."""
    rows = {}
    for row, stem in enumerate(stems):
        first = rows.setdefault(stem.casefold(), row)
        if first != row:
            raise wrong("ids", "a file name of its own for each row",
                        f"{stem!r:.60} for rows {first} and {row}")


def _save(cutout, folder, stem):
    path = folder / f"{stem}{_suffix(cutout.image.data)}"
    try:
        write_file(path, cutout.image.data)
    except (OSError, UnicodeEncodeError) as error:
        if getattr(error, "errno", errno.ENAMETOOLONG) != errno.ENAMETOOLONG:
            raise
        raise FetchError(f"the name {stem!r:.60} cannot be that of a file; shorten it",
                         MorphFlag.MISSING_FILE) from error
    return path
