"""Names of bands, and which images of a FITS file hold the light of the sky."""
import re

from astromorph.errors import CutoutError, wrong
from astromorph.flags import MorphFlag

__all__ = ["band_names", "band_text", "header_band", "light_planes", "parse_band", "split_bands"]

_BAND = re.compile(r"(?:^|[^a-z])([ugrizy])(?:p|prime|[ _-]?band)?(?![a-z]|\s*=)", re.IGNORECASE)
_COMPANION = re.compile(
    r"(sci|science|flux|image|img)?(err(or)?|sigma|noise|std(dev|ev)?|unc(ert(ainty)?)?|"
    r"inv?var|ivar|var(iance)?|rms|wh?t|wgt|weight|n?exp|exposure|exptime|"
    r"n(im(age|g)?|frame)s?|cov(er|erage)?|bit ?mask|mask|msk|bpm|badpix(els)?|fla?g|dq|"
    r"quality|seg(m(ent(s|ation)?)?)?|mod(el)?|"
    r"res(id(ual)?)?|conf(idence)?|ctx|con(text)?|psf(image)?|kernel|bkg|back(ground)?|sky|nobs|"
    r"depth|chi(2|sq)|apcorr?)s?(map|image|img|plane|bits?|arr(ay)?)?s?\d*")
_TREATED = re.compile(r"(psf|sky|bkg|back(ground)?|model|mask)s?[^a-z0-9]*"
                      r"(match|sub|conv|remov|corr|free|less|equal|homog)[a-z]*")
LETTERS = set("ugrizy")
_LIGHT = {"sci", "science", "image", "img", "flux", "data", "signal", "light", "input"}
_LIGHT_TYPES = {"image", "object", "light", "science", "sci", "stack", "coadd", "data"}


def parse_band(text, own=()):
    """Find the band in a name from a header or a user, such as g, HSC-G, "SDSS g" or des_z.

    Parameters
    ----------
    text : str
        The name.
    own : iterable of str
        Other names of a survey's bands, such as VIS or F814W. Such a name wins over single letters
        if it is a separate word, as in NIR_H or "VIS g".

    Returns
    -------
    str or None
        The band in lower case; None if the name means no band or several.
    """
    text, own = str(text).strip().lower(), {name.lower() for name in own}
    if text in own:
        return text
    words = {name for name in own - LETTERS
             if re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text)}
    found = words or set(_BAND.findall(text))
    return found.pop() if len(found) == 1 else None


def band_text(bands):
    """Join names of bands to one text for `split_bands`: grz, or VIS,J,H.

    Parameters
    ----------
    bands : iterable of str
        The names.

    Returns
    -------
    str
    """
    bands = list(bands)
    return ("" if all(len(band) == 1 for band in bands) else ",").join(bands)


def split_bands(text, own=()):
    """Split a text that names bands: ``"grz"``, ``"g, r, z"`` or a single name.

    Parameters
    ----------
    text : str
        The names.
    own : iterable of str
        Other names of a survey's bands.

    Returns
    -------
    list of str
    """
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    if len(words) == 1 and words[0].lower() not in {name.lower() for name in own}:
        return list(words[0]) if words[0].isalpha() else words
    return words


def band_names(bands, survey=None):
    """Check the ``bands`` argument: an iterable of names such as ``"grz"`` or ``["g", "r"]``.

    Parameters
    ----------
    bands : iterable of str
        Names of bands: u, g, r, i, z, Y in upper or lower case, also with the name of a survey
        (``"HSC-G"``), and the survey's own names.
    survey : `~astromorph.surveys.Survey`, optional
        A record with names of its own.

    Returns
    -------
    list of str
        The bands in lower case.

    Raises
    ------
    ArgumentError
        If a name is unknown, or a band is named twice.
    """
    own = [band for band in survey.bands if band.lower() not in LETTERS] if survey else []
    given = split_bands(bands, own) if isinstance(bands, str) else list(bands)
    names = [parse_band(band, own) for band in given]
    if not names or None in names or len(set(names)) < len(names):
        raise wrong("bands", f"different names out of {', '.join([*'ugriz', 'Y', *own])}",
                    repr(bands))
    return names


def header_band(header, own=()):
    """Find the band of an image in its header.

    Parameters
    ----------
    header : mapping
        Cards of an image.
    own : iterable of str
        Other names of a survey's bands.

    Returns
    -------
    str or None
        The band in lower case; None if the header names none.
    """
    for key in ("BAND", "FILTER", "BAND0", "EXTNAME"):
        if key in header and (band := parse_band(header[key], own)):
            return band
    return None


def light_planes(hdus, own=()):
    """Choose the images of a file that hold light: one per band, or a single one.

    Companions (weights, errors, masks, models...) never hold light. The function returns several
    images only if the header of each names a different band. Otherwise it returns the image that
    the headers call the science image, the primary image, or the only image.

    Parameters
    ----------
    hdus : sequence of HDU
        All HDUs of the file.
    own : iterable of str
        Other names of a survey's bands.

    Returns
    -------
    list of (HDU, str or None)
        The images, each with its band if there are several.

    Raises
    ------
    CutoutError
        If no image holds light, or the headers do not say which one does.
    """
    images = [(n, hdu) for n, hdu in enumerate(hdus)
              if hdu.is_image and len(hdu.shape) > 1 and hdu.size]
    if not images:
        raise CutoutError("the FITS file holds no image", MorphFlag.BAD_SHAPE)
    ranks = [(_rank(n, hdu, own), hdu) for n, hdu in images]
    light = [(rank, hdu) for rank, hdu in ranks if rank >= 0]
    if not light:
        raise _cannot_tell("no image of the FITS file is light", images)
    top = max(rank for rank, _ in light)
    pool = [hdu for rank, hdu in light if rank == top or top < 2]
    primary = [hdu for rank, hdu in light if rank == 1 and top == 2]
    for group in (primary + pool, pool):
        flat = [(hdu, band) for hdu in group if len(hdu.shape) == 2
                and (band := header_band(hdu.header, own))]
        if len(flat) > 1 and len({band for _, band in flat}) == len(flat):
            return flat
    if len(pool) > 1 and top < 2:
        pool = [hdu for rank, hdu in light if rank == 1] or pool
    if len(pool) > 1:
        raise _cannot_tell("the FITS file does not tell which of its images is light", images)
    return [(pool[0], None)]


def _rank(n, hdu, own):
    """How surely an image holds light: 3 by its type, 2 by its name, 1 as primary, -1 not."""
    header = hdu.header
    for key in ("EXTTYPE", "IMAGETYP", "HDUCLAS2"):
        text = str(header.get(key, "")).strip().lower()
        if text in _LIGHT_TYPES:
            return 3
        if _is_companion(text) or key == "EXTTYPE" and text:
            return -1
    name = str(header.get("EXTNAME", "")).strip().lower()
    words = set(re.findall("[a-z]+", name))
    if _is_companion(name) or _is_companion(str(header.get("OBJECT", "")), whole=True):
        return -1
    if words & _LIGHT or parse_band(name, own):
        return 2
    return int(n == 0)


def _is_companion(text, whole=False):
    """Whether a name means weights, errors, masks..., and not that these were removed."""
    text = _TREATED.sub(" ", text.lower())
    if whole:  # an OBJECT card usually names a galaxy, so single words in it prove nothing
        return text.strip() in ("model", "residual", "residuals", "residual map", "sky")
    words = re.findall("[a-z0-9]+", text)
    return any(map(_COMPANION.fullmatch, [*words, "".join(words)]))


def _cannot_tell(what, images):
    names = [str(hdu.header.get("EXTNAME") or f"HDU {n}") for n, hdu in images]
    return CutoutError(f"{what}: found {', '.join(names)}; pass the HDU itself, or a dict of bands",
                       MorphFlag.BAD_SHAPE)
