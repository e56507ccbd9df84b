"""The galaxies to label, one per row, with their names and pictures."""
import io
import os
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from PIL import Image, ImageDraw

from astromorph.arguments import check_choice
from astromorph.errors import wrong
from astromorph.galaxies import open_source
from astromorph.galaxies.kinds import as_galaxies
from astromorph.images.fits_planes import ImagePart, OpenImage
from astromorph.learning.matching import identifiers
from astromorph.model import TrainedModel
from astromorph.printing import printable
from astromorph.running.fingerprints import fingerprint
from astromorph.tables.positions import find_positions

__all__ = ["SIDE", "STRETCHES", "LabelGalaxies", "one_line"]

SIDE = 400
"""Pixels of a picture on a side."""
STRETCHES = ("linear", "asinh")
"""Stretches of the pictures: as the images are, or with brighter faint parts."""
_WIDER = 1.5  # than the frame: people also look at the surroundings
_SOFTENING = 20  # light fainter than 1 / 20 of the brightest is shown linearly


class LabelGalaxies:
    """Galaxies to label, one per row.

    Parameters
    ----------
    data : as for `~astromorph.MorphologyClassifier.classify`
        A folder, files, a table with a column of images, or with positions.
    model : `~astromorph.model.TrainedModel`, optional
        The weights that give survey and frame. By default those for the survey.
    **options
        Options of `~astromorph.MorphologyClassifier.classify` that select galaxies and images.

    Attributes
    ----------
    names : list of str
        One line per galaxy, without control characters.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or there are no galaxies.
    """

    def __init__(self, data, model=None, **options):
        self.data, self.options = as_galaxies(data), options
        if not len(self.data):
            raise wrong("data", "galaxies to label", "none")
        self.model = model or TrainedModel.bundled(options.get("survey") or "sdss")
        wider = SimpleNamespace(survey=self.model.survey, frame_r90=_WIDER * self.model.frame_r90)
        self._source = open_source(wider, self.data, **options)
        self._items = list(self._source)
        self._frame_r90 = wider.frame_r90
        self.names = [one_line(name) for name in _names(self.data, options)]

    def __len__(self):
        return len(self._items)

    @property
    def table(self):
        """The table of the galaxies. For a list of files it has a column of file names."""
        table = self._source.table
        return table if table.colnames else Table({"name": self.names})

    @property
    def digest(self):
        """A checksum of the names, which identifies this list of galaxies (str)."""
        return fingerprint(self.names)

    def source(self, model=None):
        """Open the galaxies for a network, with the same images that people see.

        Parameters
        ----------
        model : `~astromorph.model.TrainedModel`, optional

        Returns
        -------
        `~astromorph.galaxies.GalaxySource`
        """
        model, options = model or self.model, dict(self.options)
        if self._fetched and {"cutout_r90", "width", "r90"}.isdisjoint(options):
            options["cutout_r90"] = self._frame_r90  # one download serves both
        return open_source(model, self.data, **options)

    @property
    def _fetched(self):
        return isinstance(self.data, (SkyCoord, Table)) and self.options.get("images") is None

    def picture(self, row, stretch="linear", size=SIDE):
        """Draw a galaxy.

        Parameters
        ----------
        row : int
        stretch : str
            One of `STRETCHES`.
        size : int
            Pixels on a side.

        Returns
        -------
        picture : bytes
            A JPEG. If there is no image, it shows the reason in words.
        meta : dict
            ``width`` and ``height``. ``problem`` is the reason if there is no image. ``scale``
            (arcseconds per pixel) and ``north`` (degrees from up to the left) are there if known.
        """
        check_choice(stretch, "stretch", STRETCHES)
        try:
            loaded = self._source.load(self._items[row], size, self._frame_r90, 0)
            problem = loaded.error and one_line(loaded.error)
        except Exception as error:  # one bad galaxy must not end the work of an afternoon
            loaded, problem = None, one_line(error) or type(error).__name__
        if problem:
            return _jpeg(_words(problem, size)), {"width": size, "height": size, "problem": problem}
        pixels = _without_border(loaded.pixels)
        pixels = _softer(pixels) if stretch == "asinh" else pixels
        picture = Image.fromarray(np.rint(255 * pixels.clip(0, 1)).astype(np.uint8))
        meta = {"width": picture.width, "height": picture.height, "scale": loaded.pixel_scale,
                "north": loaded.pixel_scale and self._north(row)}
        return _jpeg(picture), {name: value for name, value in meta.items() if value is not None}

    def _north(self, row):
        """Degrees from up to north, to the left; None where nothing tells."""
        if self._fetched:  # frames of services have north up; files of others are as they are
            local = any(getattr(service, "local", False) for service in self._source.services)
            return None if local else 0.0
        try:
            image = self._source.picture(row)
            with nullcontext(image.image) if isinstance(image, ImagePart) else OpenImage(
                    image) as opened:
                return opened.north
        except Exception:  # a picture without a WCS
            return None

    def close(self):
        """Stop all downloads."""
        self._source.__exit__(None, None, None)


def one_line(text):
    """Give text as one line without control characters, for terminals and for JSON in UTF-8."""
    return " ".join(printable(str(text)).split())


def _names(data, options):
    """What to call each galaxy: its identifier, the name of its file, its position, its row."""
    found = identifiers(data)
    usual = sorted(found, key=lambda name: name.startswith("?"))
    n, chosen = len(data), found[usual[0]] if usual else None
    if chosen is None and isinstance(data, (Table, SkyCoord)):
        try:
            ra, dec = find_positions(data, ra=options.get("ra"), dec=options.get("dec"))
            chosen = [f"{a:.5f} {d:+.5f}" for a, d in zip(ra, dec)]
        except ValueError:
            pass
    if chosen is None:
        chosen = [None] * n
    short = [name and os.path.basename(name) for name in chosen]
    chosen = short if len(set(short)) == len(set(chosen)) else chosen
    return [name or f"row {row}" for row, name in enumerate(chosen)]


def _without_border(pixels):
    """The middle of a frame without the rows and columns that are outside the image."""
    seen = pixels.any(axis=2)
    sides = np.concatenate([np.flatnonzero(seen.any(axis=axis)) for axis in (0, 1)])
    border = min(sides.min(), len(pixels) - 1 - sides.max())
    return pixels[border:len(pixels) - border, border:len(pixels) - border]


def _softer(pixels):
    """Faint light brighter than bright light, in the same color."""
    light = pixels.max(axis=2, keepdims=True)
    gain = np.arcsinh(_SOFTENING * light) / np.arcsinh(_SOFTENING)
    return pixels * np.divide(gain, light, out=np.zeros_like(light), where=light > 0)


def _words(text, size):
    picture = Image.new("RGB", (size, size), (32, 32, 32))
    draw, step = ImageDraw.Draw(picture), max(size // 7, 10)  # letters are about 6 pixels wide
    text = text.encode("ascii", "replace").decode()
    lines = [text[start:start + step] for start in range(0, min(len(text), 12 * step), step)]
    draw.multiline_text((8, size // 3), "\n".join(lines), fill=(220, 220, 220))
    return picture


def _jpeg(picture):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()
