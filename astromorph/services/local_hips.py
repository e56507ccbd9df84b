"""A local source of images: a HiPS on disk, or a part of one."""
import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy_healpix import bilinear_interpolation_weights, nside_to_pixel_resolution
from PIL import Image

from astromorph.errors import FetchError, wrong
from astromorph.flags import MorphFlag
from astromorph.images.bands import band_text
from astromorph.services.base import ServiceImage
from astromorph.services.checks import check_picture, read_fits
from astromorph.services.cubes import cube_image
from astromorph.services.framing import frame_wcs, native_pixels

__all__ = ["LocalHips"]

_FRAMES = {"equatorial": "icrs", "galactic": "galactic"}
_ENDINGS = {"fits": "fits", "png": "png", "jpeg": "jpg"}
_KEPT = 64  # tiles of 1 MB


class LocalHips:
    """An image service that cuts frames out of a HiPS on disk.

    Parameters
    ----------
    path : path or dict
        Folder of a HiPS with JPEG or PNG tiles in color, which holds the file ``properties``. Or a
        dict of band to the folder of a HiPS with FITS tiles.

    Raises
    ------
    ArgumentError
        If a folder holds no such HiPS.

    See Also
    --------
    astromorph.services.LocalFolder : Read files named after the galaxies.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from astromorph.services import LocalHips
    >>> properties = ["hips_order = 3", "hips_frame = equatorial", "hips_tile_format = png"]
    >>> with TemporaryDirectory() as folder:
    ...     with open(Path(folder, "properties"), "w") as file:
    ...         print(*properties, sep=chr(10), file=file)
    ...     service = LocalHips(folder)
    >>> service.name  # classify(table, services=service) uses it
    'local-hips'
    """

    name = "local-hips"
    local = True

    def __init__(self, path):
        if isinstance(path, dict):
            self._maps = {band.lower(): _Map(folder, ("fits",)) for band, folder in path.items()}
        else:
            self._maps = {"color": _Map(path, ("png", "jpeg"))}

    @property
    def source(self):
        """Description of the folders, which identifies it in a checkpoint (str)."""
        folders = {name: str(one.folder.absolute()) for name, one in self._maps.items()}
        return f"{self.name} {folders}"

    def __call__(self, request, transport=None):
        """Cut out a frame; see `~astromorph.services.ImageService`."""
        try:
            return self._picture(request) if "color" in self._maps else self._planes(request)
        except FetchError as error:
            error.final = False  # the HiPS on disk may be only a part of the survey
            raise

    def _picture(self, request):
        color = self._maps["color"]
        pixels = native_pixels(request, color.scale)
        frame = color.frame(request, pixels)[::-1]
        file = io.BytesIO()
        Image.fromarray(np.uint8(np.rint(np.nan_to_num(frame)))).save(file, "png")
        coverage, flag = check_picture(file.getvalue(), request, pixels=pixels)
        return ServiceImage(file.getvalue(), color.folder.absolute().as_uri(),
                            band_text(request.survey.rgb), request.width / pixels, coverage, flag)

    def _planes(self, request):
        missing = set(request.bands) - set(self._maps)
        if missing:
            raise FetchError(f"there is no local HiPS for the band {min(missing)}",
                             MorphFlag.MISSING_BAND)
        maps = [self._maps[band] for band in request.bands]
        pixels = native_pixels(request, min(one.scale for one in maps))
        planes = {band: one.frame(request, pixels) for band, one in zip(request.bands, maps)}
        unit = {"MAGZERO": request.survey.hips_zero_point} if request.survey.hips_zero_point else {}
        return cube_image(planes, [unit | one.header for one in maps], request,
                          maps[0].folder.absolute().as_uri())


class _Map:
    """A HiPS at its highest order, with its ``scale`` in arcseconds and the ``header`` of tiles."""

    def __init__(self, folder, formats):
        self.folder, self.header = Path(folder), {}
        told = _properties(self.folder)
        found = [one for one in formats if one in told.get("hips_tile_format", "").split()]
        if not found or told.get("hips_frame") not in _FRAMES or "hips_order" not in told:
            raise wrong("path", f"a HiPS with {' or '.join(formats)} tiles, equatorial or galactic",
                        f"{self.folder} with {told.get('hips_tile_format')} tiles, "
                        f"{told.get('hips_frame')}",
                        "Pass a dict of band to path for FITS tiles.")
        self._ending, self._sky = _ENDINGS[found[0]], _FRAMES[told["hips_frame"]]
        self._order = int(told["hips_order"])
        self._width = int(told.get("hips_tile_width", 512))
        self._nside = 2**self._order * self._width
        self.scale = nside_to_pixel_resolution(self._nside).to_value(u.arcsec)

    def frame(self, request, pixels):
        """Interpolate onto the frame of a request, row 0 in the south; NaN without a tile."""
        x, y = np.indices((pixels, pixels))[::-1].reshape(2, -1)
        sky = SkyCoord(*frame_wcs(request, pixels).wcs_pix2world(x, y, 0), unit="deg")
        sky = sky.transform_to(self._sky).spherical
        near, weights = bilinear_interpolation_weights(sky.lon, sky.lat, self._nside, "nested")
        values = self._values(near.ravel()).reshape(*near.shape, -1)
        return np.squeeze((weights[..., None] * values).sum(axis=0).reshape(pixels, pixels, -1))

    def _values(self, index):
        """Values (pixel, channel) of HEALPix pixels in the nested order."""
        bits = self._width.bit_length() - 1
        tiles, inside = index >> 2 * bits, index & self._width**2 - 1
        # In a tile, with row 0 at the bottom, the second HEALPix axis goes right, the first down.
        row, column = self._width - 1 - _even_bits(inside, bits), _even_bits(inside >> 1, bits)
        values = np.full((index.size, 3 if self._ending != "fits" else 1), np.nan, np.float32)
        for number in np.unique(tiles):
            tile, header = _tile(self._path(number))
            if tile is not None:
                here = tiles == number
                values[here] = tile[row[here], column[here]]
                self.header = header
        return values

    def _path(self, number):
        return (self.folder / f"Norder{self._order}" / f"Dir{number // 10000 * 10000}"
                / f"Npix{number}.{self._ending}")


def _properties(folder):
    try:
        file = folder / "properties"
        if not file.is_file():  # reading a FIFO might wait forever
            raise FileNotFoundError(file)
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise wrong("path", "the folder of a HiPS, with its file properties",
                    repr(str(folder))) from None
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _even_bits(number, count):
    """Join the bits 0, 2, 4... of numbers."""
    return sum((number >> 2 * bit & 1) << bit for bit in range(count))


@lru_cache(maxsize=_KEPT)
def _tile(path):
    """Read a tile (y, x, channel), row 0 at the bottom, and its header; None if it is missing."""
    try:
        if path.exists() and not path.is_file():  # reading a FIFO might wait forever
            raise OSError("not a regular file")
        if path.suffix == ".fits":
            planes, header = read_fits(path.read_bytes())
            return planes[0, ..., None], dict(header)
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"), np.float32)[::-1], {}
    except FileNotFoundError:
        return None, {}
    except Exception as error:  # damaged bytes fail anywhere in Pillow and astropy
        raise FetchError(f"{path}: unreadable, get it again ({error!s:.100})",
                         MorphFlag.UNREADABLE) from error
