"""What a survey is: its bands, pixels, point-spread function and color mapping, one record each."""
from dataclasses import dataclass

from astropy import units as u

__all__ = ["SURVEYS", "Survey", "get_survey"]


@dataclass(frozen=True)
class Survey:
    """How a survey sees the sky and how its color images are made.

    The color mapping is that of the Legacy Surveys viewer (Lupton et al. 2004, PASP 116, 133, with
    an arcsinh of the mean over the bands); see `~astromorph.images.color_composite`.

    Parameters
    ----------
    name : str
        Short name, as the ``survey`` argument takes it.
    title : str
        Name to show.
    bands : tuple of str
        Bands the survey images, the bluest first.
    rgb : tuple of str
        The three bands shown as red, green and blue.
    pixel_scale : `~astropy.units.Quantity`
        Width of a native pixel on the sky.
    psf_fwhm : `~astropy.units.Quantity`
        Typical full width at half maximum of the point-spread function in r.
    scales : dict
        Brightness of 1 nanomaggy per native pixel, for each band that can be shown.
    offset : float
        Pedestal m of the color mapping.
    softening : float
        Q of the color mapping.
    sky_noise : `~astropy.units.Quantity`
        Typical noise of the sky in r, for one native pixel; it stands in for a missing flux unit.
    """

    name: str
    title: str
    bands: tuple
    rgb: tuple
    pixel_scale: u.Quantity
    psf_fwhm: u.Quantity
    scales: dict
    offset: float
    softening: float
    sky_noise: u.Quantity


# SDSS: the viewer's scales, a fifth as bright, which gives simulated galaxies the sky, noise and
# cores that SkyServer's JPEGs (those of Galaxy Zoo 2) show. DECam: the viewer's own since DR2.
_SDSS = {"scales": {"g": 0.5, "r": 0.3, "i": 0.2, "z": 0.08}, "offset": 0.004, "softening": 20.0}
_DECAM = {"scales": {"g": 6.0, "r": 3.4, "i": 3.0, "z": 2.2}, "offset": 0.03, "softening": 20.0,
          "pixel_scale": 0.262 * u.arcsec, "sky_noise": 0.004 * u.nmgy}

SURVEYS = {survey.name: survey for survey in (
    Survey("sdss", "Sloan Digital Sky Survey", ("u", "g", "r", "i", "z"), ("i", "r", "g"),
           pixel_scale=0.396127 * u.arcsec, psf_fwhm=1.32 * u.arcsec, sky_noise=0.028 * u.nmgy,
           **_SDSS),
    Survey("legacy", "DESI Legacy Imaging Surveys", ("g", "r", "i", "z"), ("z", "r", "g"),
           psf_fwhm=1.18 * u.arcsec, **_DECAM),
    Survey("des", "Dark Energy Survey", ("g", "r", "i", "z", "Y"), ("z", "r", "g"),
           psf_fwhm=0.96 * u.arcsec, **_DECAM),
)}


def get_survey(survey):
    """Look up a survey by name.

    Parameters
    ----------
    survey : str or Survey
        Name in any case, or a record, which is returned as it is.

    Returns
    -------
    Survey

    Raises
    ------
    ValueError
        If there is no survey of that name.
    """
    if isinstance(survey, Survey):
        return survey
    try:
        return SURVEYS[survey.strip().lower()]
    except (KeyError, AttributeError):
        raise ValueError(f"survey must be one of {', '.join(map(repr, SURVEYS))} or a Survey, "
                         f"not {survey!r}") from None
