"""Convert flux from the unit in a header to nanomaggies."""
import re

import numpy as np
from astropy import units as u

from astromorph.errors import CutoutError
from astromorph.flags import MorphFlag

__all__ = ["is_flux", "linear_flux", "subtract_sky", "to_nanomaggies"]

_AB = u.zero_point_flux(3631 * u.Jy)
_BRIGHTEST = 1e20  # nanomaggies: the Sun has 5e19; a damaged bit of an exponent gives more
_LIMITS = 1e-38, 1e38  # smallest and largest factor that 32 bits hold
_ENOUGH = 2**22  # pixels that are enough to measure the noise
_LIGHT_SKY = 3  # a sky of so many times the survey's noise was not subtracted
_UNKNOWN, _NO_UNIT = "unknown", None  # a unit that is not a flux; no unit at all
_PREFIXES = {"": "", "n": "n", "nano": "n", "u": "u", "\u00b5": "u", "\u03bc": "u", "micro": "u",
             "milli": "m", "mega": "M"}
_WORDS = {prefix + word: short + unit for prefix, short in _PREFIXES.items() for unit, words in {
    "mgy": ("mgy", "mgys", "maggy", "maggys", "maggie", "maggies"),
    "Jy": ("jy", "jansky", "janskys", "janskies")}.items() for word in words}
_WORDS |= dict.fromkeys(("pix", "pixel", "pixels", "px"), "pix") | dict.fromkeys(
    ("sr", "ster", "steradian", "steradians"), "sr") | dict.fromkeys(
    ("arcsec", "arcsecs", "arcsecond", "arcseconds", "asec"), "arcsec")


def to_nanomaggies(planes, units, survey, pixel_scale):
    """Convert the planes of one image to nanomaggies per pixel.

    A unit of flux or a zero point (``FLUXMAG0``, ``MAGZERO``) sets the conversion. Flux without
    any unit counts as nanomaggies if its noise is possible for a survey, as in cutouts of the
    Legacy Surveys viewer. Anything else, such as counts or electrons/s, has an unknown unit. Its
    border's median is subtracted, and its noise is scaled to that of the survey's sky.

    Parameters
    ----------
    planes : dict
        Band name to (y, x) array.
    units : list of (unit, header)
        For each plane, its unit or None, and the mapping that may hold BUNIT or a zero point.
    survey : `~astromorph.surveys.Survey`
        The survey whose sky noise to use.
    pixel_scale : float or None
        Arcseconds per pixel, to convert surface brightness.

    Returns
    -------
    planes : dict
        Band name to flux in nanomaggies per pixel. Impossible values, brighter than the Sun, are
        NaN.
    known : bool
        Whether the unit is known; otherwise the noise sets the brightness.
    """
    factors = [_nanomaggies(unit, header, pixel_scale) for unit, header in units]
    known = True
    if set(factors) != {_NO_UNIT} or not _plausible(planes, survey):
        known = _NO_UNIT not in factors and _UNKNOWN not in factors
        planes = _times(planes, factors) if known else _scaled_by_noise(planes, survey)
    return {name: np.where(np.abs(plane) < _BRIGHTEST, plane, np.float32(np.nan))
            for name, plane in planes.items()}, known


def _times(planes, factors):
    with np.errstate(over="ignore"):
        return {name: plane * np.float32(factor)
                for (name, plane), factor in zip(planes.items(), factors)}


def _nanomaggies(unit, header, pixel_scale):
    """How many nanomaggies a unit is; _NO_UNIT or _UNKNOWN if that cannot be said."""
    text = str(header.get("BUNIT", "") if unit is None else unit).strip()
    unit = _parsed(text)
    areas = [u.dimensionless_unscaled, u.pix, u.pix**2]
    if pixel_scale is not None:
        areas.append(u.Unit((pixel_scale * u.arcsec) ** 2))
    for whole in (unit * area for area in areas if unit is not None):
        if whole.is_equivalent(u.nmgy, _AB):
            factor = _in_nanomaggies(whole)
            return factor if _LIMITS[0] < factor < _LIMITS[1] else _UNKNOWN
    factor = _zero_point(header)
    return _UNKNOWN if factor is _NO_UNIT and text else factor


def is_flux(unit):
    """Tell whether a unit is one of flux or surface brightness, and not of counts.

    Parameters
    ----------
    unit : `~astropy.units.Unit` or str or None

    Returns
    -------
    bool
    """
    return isinstance(_nanomaggies(unit, {}, 1.0), float)


def _in_nanomaggies(unit):
    try:
        return unit.to(u.nmgy, equivalencies=_AB)
    except ArithmeticError:  # a scale such as 1e-400
        return 0


def _parsed(text):
    """The unit that a whole text means, in any spelling of the surveys; None if it means none."""
    words = re.sub(r"\bper\b", "/", text.strip("[] "))
    words = re.sub(r"\b(?:square|sq\.?)[ _-]*([A-Za-z]+)", r"\1**2", words).replace("^", "**")
    words = re.sub(r"[A-Za-z\u00b5\u03bc]+", _spelled, words)
    for one in (words, text):
        try:
            unit = u.Unit(one)
        except (ValueError, TypeError):
            continue
        if isinstance(unit, u.UnitBase):
            return unit
    return None


def _spelled(match):
    """Spell one word of a unit as Astropy does; the case of M decides between milli and mega."""
    word = match.group()
    if word in ("mJy", "MJy", "mmgy"):
        return word
    if word == "MJY":  # in capital letters only, mega is likely for surface brightness
        return "MJy" if "sr" in match.string.lower() else word
    return _WORDS.get(word.lower(), word)


def _zero_point(header):
    """How many nanomaggies one count is, by the zero point; _UNKNOWN if the card is invalid."""
    try:
        if "FLUXMAG0" in header:  # flux of AB magnitude 0, in files of HSC
            flux = float(header["FLUXMAG0"])
            return 1e9 / flux if 0 < flux < np.inf else _UNKNOWN
        if "MAGZERO" in header:  # AB magnitude of flux 1, in files of DES and Euclid
            zero = float(header["MAGZERO"])
            return 10 ** ((22.5 - zero) / 2.5) if 0 < zero < 100 else _UNKNOWN
        if "BSOFTEN" in header and 0 < float(header["EXPTIME"]) < np.inf:  # Pan-STARRS
            zero = float(header.get("FPA.ZP", 25))
            return 10 ** ((22.5 - zero) / 2.5) / float(header["EXPTIME"])
    except (KeyError, ValueError, TypeError, ArithmeticError):
        return _UNKNOWN
    return _of_viewer(header)


def _of_viewer(header):
    """How many nanomaggies one count is in files of the Legacy Surveys viewer without a unit.

    Only its layers of HSC hold other counts, of zero point 27. They may lack the card SURVEY; then
    they have z, and not i.
    """
    bands, survey = str(header.get("BANDS", "")), str(header.get("SURVEY", "")).lower()
    if not bands or "BAND0" not in header or "hsc" not in survey and (
            survey or "IMAGEW" not in header or "z" not in bands or "i" in bands):
        return _NO_UNIT
    return 10 ** ((22.5 - 27) / 2.5) if survey else _UNKNOWN


def linear_flux(values, header):
    """Undo the asinh scale of Pan-STARRS (``BSOFTEN``) and the bias of SDSS (``SOFTBIAS``).

    Only raw counts of SDSS have a bias. Calibrated frames still have its card, but also a BUNIT.

    Parameters
    ----------
    values : `~numpy.ndarray`
        Pixels.
    header : mapping
        Cards of the image.

    Returns
    -------
    `~numpy.ndarray`, float32
        Flux; same shape as ``values``.

    Raises
    ------
    CutoutError
        If a card is not a valid number.
    """
    soft, offset, bias = (_card(header, *each) for each in (
        ("BSOFTEN", 1), ("BOFFSET", 0), ("SOFTBIAS", 0)))
    bias = 0 if "BUNIT" in header else bias
    if not (0 < soft < np.inf and np.isfinite(offset) and np.isfinite(bias)):
        raise CutoutError("its cards BSOFTEN, BOFFSET or SOFTBIAS are not valid numbers; get it "
                          "again", MorphFlag.UNREADABLE)
    values = values - np.float32(bias) if bias else values
    if "BSOFTEN" not in header:
        return values
    with np.errstate(over="ignore"):
        flux = (offset + 2 * soft * np.sinh(values.astype(float) * (np.log(10) / 2.5))).astype("f4")
    return np.where(np.isfinite(flux), flux, np.float32(np.nan))


def subtract_sky(planes, survey, area=1.0):
    """Subtract the level of the border if the sky was not subtracted.

    Then even the darkest hundredth of the pixels is brighter than three times the noise, in every
    band. Where a galaxy is shown with some sky around it, noise makes these pixels negative.

    Parameters
    ----------
    planes : dict
        Band name to flux, (y, x), in nanomaggies per pixel.
    survey : `~astromorph.surveys.Survey`
        The survey whose sky noise to compare with.
    area : float
        Area of the survey's native pixel, in pixels.

    Returns
    -------
    planes : dict
        Band name to flux.
    done : bool
        Whether anything was subtracted.
    """
    limit = _LIGHT_SKY * survey.sky_noise.to_value(u.nmgy) / area
    samples = [plane[::4] for plane in planes.values()]
    if any(np.sum(some < limit) >= 0.01 * np.isfinite(some).sum() for some in samples):
        return planes, False
    return {name: plane - _border_level(plane) for name, plane in planes.items()}, True


def _card(header, key, default):
    try:
        return float(header.get(key, default))
    except (ValueError, TypeError):
        return np.nan


def _plausible(planes, survey):
    """Whether flux without a unit can be nanomaggies.

    It is not much noisier or fainter than a sky, and has no whole numbers, which are counts.
    """
    limit = survey.sky_noise.to_value(u.nmgy)
    noise, peak = _noise_and_peak(planes)
    return noise < 50 * limit and peak > limit and not all(
        np.array_equal(some, np.rint(some), equal_nan=True)
        for some in (plane[::8] for plane in planes.values()))


def _noise_and_peak(planes):
    """Noise from the differences of neighbors (median over bands), and the 99.9th percentile."""
    noise, peak = [0.0], [0.0]
    for plane in planes.values():
        plane = plane[::max(plane.size // _ENOUGH, 1)]  # some rows of a large image
        with np.errstate(over="ignore"):  # damaged values overflow; they are left out below
            steps = np.abs(np.diff(plane, axis=1))
        steps = steps[np.isfinite(steps)]
        finite = plane[np.isfinite(plane)]
        if steps.size:
            noise.append(1.4826 / np.sqrt(2) * np.median(steps))
            peak.append(np.percentile(finite, 99.9) - min(np.median(finite), 0))
    return np.median(noise[1:] or noise), max(peak)


def _scaled_by_noise(planes, survey):
    """Subtract the level of the border, and scale the noise to that of the survey's sky."""
    level = {name: _border_level(plane) for name, plane in planes.items()}
    planes = {name: plane - level[name] for name, plane in planes.items()}
    noise, peak = _noise_and_peak(planes)
    noise = max(noise, peak / 1000)  # an image without noise
    factor = survey.sky_noise.to_value(u.nmgy) / noise if noise > 0 else 1
    return {name: plane * np.float32(factor) for name, plane in planes.items()}


def _border_level(plane):
    edge = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
    edge = edge[np.isfinite(edge)]
    return np.median(edge) if edge.size else np.float32(0)
