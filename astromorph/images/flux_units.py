"""Flux units: whatever a header says -> nanomaggies."""
import numpy as np
from astropy import units as u

__all__ = ["to_nanomaggies"]

_AB = u.zero_point_flux(3631 * u.Jy)


def to_nanomaggies(planes, units, survey, pixel_scale):
    """Convert the planes of one image to nanomaggies per pixel.

    Flux without a unit is taken for nanomaggies when its noise could be that of a survey, as in
    cutouts of the Legacy Surveys viewer. With a zero point (``FLUXMAG0``, ``MAGZERO``) it is
    converted. Anything else is scaled, less the median of its border, so that its noise is that of
    the survey's sky in a native pixel.

    Parameters
    ----------
    planes : dict
        Band name to (y, x) array.
    units : list of (unit, header)
        For each plane, its unit or None, and the mapping that may hold BUNIT or a zero point.
    survey : `~astromorph.surveys.Survey`
    pixel_scale : float or None
        Arcseconds per pixel, for surface brightness.

    Returns
    -------
    planes : dict
    known : bool
        False where brightness comes from the noise alone.
    """
    factors = [_nanomaggies(unit, header, pixel_scale) for unit, header in units]
    if set(factors) == {None} and _plausible(planes, survey):
        return planes, True
    if None in factors:
        return _scaled_by_noise(planes, survey), False
    return {name: plane * np.float32(factor)
            for (name, plane), factor in zip(planes.items(), factors)}, True


def _nanomaggies(unit, header, pixel_scale):
    """Nanomaggies in one unit of flux; None if unknown."""
    text = str(unit or header.get("BUNIT", "")).strip()
    try:
        unit = u.nmgy if text.lower().startswith("nanomagg") else u.Unit(text)
    except ValueError:
        unit = u.dimensionless_unscaled
    areas = [u.dimensionless_unscaled, u.pix]
    if pixel_scale is not None:
        areas.append(u.Unit((pixel_scale * u.arcsec) ** 2))
    for whole in (unit * area for area in areas):
        if whole.is_equivalent(u.nmgy, _AB):
            return whole.to(u.nmgy, equivalencies=_AB)
    return _zero_point(header)


def _zero_point(header):
    try:
        if "FLUXMAG0" in header:  # flux of an AB magnitude 0, as HSC has it
            return 1e9 / float(header["FLUXMAG0"])
        return 10 ** ((22.5 - float(header["MAGZERO"])) / 2.5)  # as DES has it
    except (KeyError, ValueError, TypeError, ArithmeticError):
        return None


def _plausible(planes, survey):
    """Whether flux without any unit can be nanomaggies: not far noisier or fainter than a sky."""
    limit = survey.sky_noise.to_value(u.nmgy)
    noise, peak = _noise_and_peak(planes)
    return noise < 50 * limit and peak > limit


def _noise_and_peak(planes):
    """Noise from the differences of neighbors (median of bands), and the brightest 0.1 %."""
    noise, peak = [0.0], [0.0]
    for plane in planes.values():
        steps = np.abs(np.diff(plane, axis=1))
        steps = steps[np.isfinite(steps)]
        finite = plane[np.isfinite(plane)]
        if steps.size:
            noise.append(1.4826 / np.sqrt(2) * np.median(steps))
            peak.append(np.percentile(finite, 99.9) - min(np.median(finite), 0))
    return np.median(noise[1:] or noise), max(peak)


def _scaled_by_noise(planes, survey):
    """Flux of unknown unit, less its border, with the noise of the survey's sky."""
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
