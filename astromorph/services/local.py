"""A local source of images: a folder of files."""
import os
import re
from bisect import bisect_left
from dataclasses import replace
from fnmatch import translate
from functools import lru_cache
from itertools import islice, takewhile
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from PIL import Image

from astromorph.errors import CutoutError, FetchError, wrong
from astromorph.flags import MorphFlag
from astromorph.images.bands import band_text
from astromorph.images.fits_planes import read_planes
from astromorph.names import IMAGE_ENDINGS, file_stem
from astromorph.services.base import ServiceImage
from astromorph.services.cubes import cube_bytes
from astromorph.services.framing import frame_wcs

__all__ = ["LocalFolder"]

_WILD = re.compile(r"[*?[]")
_PICTURES = (b"\xff\xd8", b"\x89PNG")


class LocalFolder:
    """An image service that reads the files of a folder, named after the galaxies.

    Each file shows its galaxy in the middle. The WCS of a FITS file gives its pixel scale. Pictures
    have no WCS; without ``width`` the whole picture is the frame, and it is flagged ``NO_WCS``.

    Parameters
    ----------
    folder : path
        The folder.
    pattern : str
        Pattern of file names. ``{name}`` stands for the galaxy's name, with "_" in place of "/".
        ``*`` and ``?`` stand for any characters, but never make the name longer: for the name 10,
        ``{name}.*`` finds ``10.fits``, but not ``10.5.fits``. With ``{band}``, as in
        ``"{name}_{band}.fits"``, there is one FITS file per band. Only regular files count.
    width : `~astropy.units.Quantity`, optional
        Angle of the smaller side of pictures, and of FITS files without a WCS. If your pictures are
        a number of R90 wide, pass their files to `~astromorph.MorphologyClassifier.classify` with
        ``cutout_r90`` instead.

    Raises
    ------
    ArgumentError
        If an argument has the wrong type or value.

    See Also
    --------
    astromorph.services.LocalHips : Read a HiPS on disk.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from astropy import units as u
    >>> from astromorph.services import LocalFolder
    >>> with TemporaryDirectory() as folder:
    ...     images = LocalFolder(folder, "{name}.jpg", width=1 * u.arcmin)
    >>> images.name, images.width
    ('local-folder', 60.0)
    """

    name = "local-folder"
    local = True

    def __init__(self, folder, pattern="{name}.*", *, width=None):
        self.folder, self.pattern = Path(folder), str(pattern)
        if not self.folder.is_dir():
            raise wrong("folder", "an existing folder", repr(str(folder)))
        try:
            named = self.pattern.format(name="", band="") != self.pattern.format(name="x", band="")
        except (KeyError, IndexError, ValueError):
            named = False
        if not named:
            raise wrong("pattern", 'a file name with {name}, as "{name}.jpg"', repr(pattern))
        self.width = None if width is None else _arcseconds(width)

    @property
    def source(self):
        """Description of the folder and the frames, which identifies it in a checkpoint (str)."""
        return f"{self.name} {self.folder.absolute() / self.pattern} {self.width}"

    def __call__(self, request, transport=None):
        """Read the image of ``request.name``; see `~astromorph.services.ImageService`."""
        if not request.name:
            raise FetchError("the galaxy has no name; a local folder finds images by it",
                             MorphFlag.MISSING_FILE)
        per_band = "{band" in self.pattern
        paths = {band: path for band in (request.bands if per_band else [""])
                 if (path := self._find(request.name, band)) is not None}
        if not paths:
            raise FetchError(f"{self.folder} has no file for {request.name!r} and the pattern "
                             f"{self.pattern!r}", MorphFlag.MISSING_FILE)
        first = next(iter(paths.values()))
        try:
            return self._cube(paths, request) if per_band else self._file(paths[""], request)
        except CutoutError as error:
            raise FetchError(f"{first}: {error}", error.flag) from None
        except Exception as error:  # damaged bytes fail anywhere in Pillow and astropy
            raise FetchError(f"{first}: unreadable ({error!s:.100})",
                             MorphFlag.UNREADABLE) from error

    def _file(self, path, request):
        data = path.read_bytes()
        if data.startswith(_PICTURES):
            with Image.open(path) as picture:
                return self._image(data, path, request.survey.rgb, None, min(picture.size))
        flux = read_planes(data, survey=request.survey)
        return self._image(data, path, flux.planes, flux.pixel_scale, min(_shape(flux)))

    def _cube(self, paths, request):
        flux = read_planes(paths, survey=request.survey)
        ny, nx = _shape(flux)
        header = fits.Header({"BUNIT": "nanomaggy"})
        if flux.native:
            header["SURVEY"] = request.survey.title
        if flux.pixel_scale:
            wcs = frame_wcs(replace(request, width=flux.pixel_scale * nx), nx)
            wcs.wcs.crpix[1] = (ny + 1) / 2
            header.update(wcs.to_header())
        image = self._image(cube_bytes(flux.planes, header), next(iter(paths.values())),
                            flux.planes, flux.pixel_scale, min(ny, nx))
        missing = MorphFlag(0) if len(paths) == len(request.bands) else MorphFlag.MISSING_BAND
        return replace(image, flag=image.flag | flux.flag | missing)

    def _image(self, data, path, bands, scale, side):
        if not scale:
            scale = np.nan if self.width is None else self.width / side
        return ServiceImage(data, path.absolute().as_uri(), band_text(bands), scale,
                            flag=MorphFlag.NO_WCS if np.isnan(scale) else MorphFlag(0))

    def _find(self, name, band):
        """Find the file of a galaxy; None if there is none."""
        name = file_stem(name)
        head, tail = os.path.split(self.pattern)
        inner = head.format(name=name, band=band)
        if _leaves(inner, head):
            return None
        folder = self.folder / inner
        start, *wild = re.split(_WILD, tail, maxsplit=1)
        start = start.format(name=name, band=band)
        if not wild:
            return folder / start if os.path.isfile(folder / start) else None
        pattern = _file_pattern(tail, name, band)
        found = [file for file in _starting_with(folder, start)
                 if pattern.fullmatch(file) and os.path.isfile(folder / file)]
        if len(found) > 1:
            raise FetchError(f"{folder} has {len(found)} files for {name!r}, such as {found[0]} "
                             f"and {found[1]}; use a pattern that fits only one",
                             MorphFlag.MISSING_FILE)
        return folder / found[0] if found else None


def _leaves(inner, pattern):
    """Whether the name of a galaxy leads out of the folder, such as ".."."""
    return any(part in (".", "..") and part != given
               for part, given in zip(inner.split(os.sep), pattern.split(os.sep)))


def _file_pattern(tail, name, band):
    """Pattern of the files of a galaxy; wildcards beside its name do not make it longer."""
    texts = tail.format(name="\0", band=band).split("\0")
    pieces = [re.sub(r"\\[zZ]$", "", translate(text)) for text in texts]
    whole = pieces[0]
    for before, after, piece in zip(texts, texts[1:], pieces[1:]):
        if re.match(_WILD, before[-1:]):
            whole += r"(?<![0-9A-Za-z.+])"
        whole += re.escape(name)
        if after == ".*":
            whole += f"(?i:{'|'.join(map(re.escape, IMAGE_ENDINGS))})"
            continue
        if re.match(_WILD, after):
            whole += r"(?![0-9A-Za-z])(?![-+._][0-9])"
        elif after.startswith(".*"):
            whole += r"(?!\.[0-9])"
        whole += piece
    return re.compile(whole)


def _arcseconds(width):
    try:
        value = u.Quantity(width).to_value(u.arcsec)
    except (TypeError, u.UnitConversionError):
        value = None
    if value is None or np.ndim(value) or not 0 < value < np.inf:
        raise wrong("width", "one angle, as 60 * u.arcsec", repr(width))
    return float(value)


def _shape(flux):
    return next(iter(flux.planes.values())).shape


def _starting_with(folder, start):
    """Names of the files with this start, without reading the folder each time."""
    try:
        names = _listing(folder, folder.stat().st_mtime_ns)
    except (OSError, ValueError):  # there is no such folder, or its name is too long
        return []
    first = bisect_left(names, start)
    return takewhile(lambda name: name.startswith(start), islice(names, first, None))


@lru_cache(maxsize=64)
def _listing(folder, changed):
    """Sorted names in a folder; ``changed`` is part of the cache's key, to notice new files."""
    return sorted(os.listdir(folder))
