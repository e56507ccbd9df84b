"""Rules that say which values the fields of a survey's record may have."""
import re
from numbers import Real

import numpy as np
from astropy import units as u

__all__ = ["RULES"]


def _is_number(value, low=-np.inf):
    return isinstance(value, Real) and not isinstance(value, bool) and low < value < np.inf


def _is_quantity(value, unit):
    return (isinstance(value, u.Quantity) and value.isscalar and value.unit.is_equivalent(unit)
            and 0 < value.value < np.inf)


def _are_names(value):
    """Whether all are names of bands, and differ by more than upper and lower case."""
    return (isinstance(value, tuple) and len(value) > 0
            and all(isinstance(name, str) and re.fullmatch(r"[A-Za-z][\w.+-]*", name)
                    for name in value) and len({name.lower() for name in value}) == len(value))


def _are_texts(value):
    return isinstance(value, tuple) and all(isinstance(text, str) and text for text in value)


def _is_text(value):
    return isinstance(value, str)


def _is_text_or_none(value):
    return value is None or isinstance(value, str) and value != ""


def _is_text_by_text(value):
    return isinstance(value, dict) and all(isinstance(one, str) and one
                                           for pair in value.items() for one in pair)


RULES = {  # field: what is expected, and whether a value fits
    "name": ("a short word", lambda value: isinstance(value, str)
             and re.fullmatch(r"\w[\w.+-]{0,31}", value)),
    "title": ("text", lambda value: isinstance(value, str) and value.strip() != ""),
    "bands": ("a tuple of different names, as ('g', 'r', 'i')", _are_names),
    "rgb": ("one to three of the bands", lambda value: _are_names(value) and len(value) <= 3),
    "pixel_scale": ("a positive angle, as 0.2 * u.arcsec",
                    lambda value: _is_quantity(value, u.arcsec)),
    "psf_fwhm": ("a positive angle, as 0.8 * u.arcsec",
                 lambda value: _is_quantity(value, u.arcsec)),
    "scales": ("a dict of band to a positive number", lambda value: isinstance(value, dict)
               and all(_is_number(scale, 0) for scale in value.values())),
    "offset": ("a number", _is_number),
    "softening": ("a positive number", lambda value: _is_number(value, 0)),
    "sky_noise": ("a positive flux in nanomaggies, as 0.004 * u.nmgy (1 nmgy is 3631 nJy)",
                  lambda value: _is_quantity(value, u.nmgy)),
    "release": ("text", _is_text),
    "depth": ("a magnitude, or None", lambda value: value is None or _is_number(value)),
    "declinations": ("the lowest and the highest declination, in degrees from -90 to 90",
                     lambda value: isinstance(value, tuple) and len(value) == 2
                     and all(map(_is_number, value)) and -90 <= value[0] < value[1] <= 90),
    "services": ("a tuple of names of image services", _are_texts),
    "hips": ("a dict of identifiers", _is_text_by_text),
    "hips_zero_point": ("a magnitude, 'unknown', or None", lambda value: value is None
                        or value == "unknown" or _is_number(value, 0)),
    "layer": ("text, or None", _is_text_or_none),
    "flux_layer": ("text, or None", _is_text_or_none),
    "sia": ("text, or None", _is_text_or_none),
    "catalog": ("text, or None", _is_text_or_none),
    "releases": ("a dict of service to release", _is_text_by_text),
    "other_colors": ("a tuple of names of image services", _are_texts),
    "camera": ("text", _is_text),
    "layer_zero_point": ("a magnitude, or None", lambda value: value is None
                         or _is_number(value, 0)),
    "hips_rgb": ("a tuple of bands", _are_texts),
    "moc": ("text, or None", _is_text_or_none),
    "rsp": ("text, or None", _is_text_or_none),
    "reported": ("text", _is_text),
}
"""Field of `~astromorph.surveys.Survey` to what is expected, in words and as a test (`dict`)."""
