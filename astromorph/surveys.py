"""Records of surveys: bands, pixels, point-spread function, color mapping and services."""
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from astropy import units as u

from astromorph.errors import ArgumentError, wrong
from astromorph.survey_files import default_of, read_toml, toml_text
from astromorph.survey_rules import RULES

__all__ = ["BUNDLED", "SURVEYS", "Survey", "get_survey"]


@dataclass(frozen=True)
class Survey:
    """The record of a survey: its images, its color mapping and its services.

    The color mapping is that of the Legacy Surveys viewer (Lupton et al. 2004, PASP 116, 133, with
    an arcsinh of the mean over the bands); see `~astromorph.images.color_composite`.

    Parameters
    ----------
    name : str
        Short name, for the argument ``survey``.
    title : str
        Full name.
    bands : tuple of str
        Bands of its images, the bluest first. Any names are allowed.
    rgb : tuple of str
        The three bands shown as red, green and blue. Two bands are shown as red and blue, with
        their mean as green; one band is shown as gray.
    pixel_scale : `~astropy.units.Quantity`
        Width of a native pixel, an angle.
    psf_fwhm : `~astropy.units.Quantity`
        Typical full width at half maximum of the point-spread function in r, an angle.
    scales : dict
        Band to the brightness of 1 nanomaggy per native pixel, for each band that can be shown.
    offset : float
        Pedestal m of the color mapping.
    softening : float
        Softening Q of the color mapping.
    sky_noise : `~astropy.units.Quantity`
        Typical noise of the sky in r, in nanomaggies per native pixel. It sets the brightness of
        images with an unknown flux unit.
    release : str
        Data release of the images.
    depth : float, optional
        Typical limiting magnitude in r (AB, point sources, 5 sigma).
    declinations : tuple of float
        Lowest and highest declination with images, in degrees. astromorph requests no images
        outside.
    services : tuple of str
        Names of the image services, in the order in which astromorph tries them; see
        `~astromorph.services.IMAGE_SERVICES`. You may add a service there after you made the
        record, because astromorph looks names up only when it fetches images.
    hips : dict
        Band to full HiPS identifier; ``"color"`` for pictures in the bands ``rgb``.
    hips_zero_point : float or "unknown", optional
        AB magnitude of flux 1 in the HiPS of single bands. By default they are in nanomaggies. If
        unknown, the noise sets the brightness, and rows are flagged.
    layer : str, optional
        Layer of the Legacy Surveys viewer whose pictures have this color mapping.
    sia : str, optional
        Collection of NOIRLab's Simple Image Access service.
    catalog : str, optional
        Catalog of its galaxies; see `~astromorph.galaxies.catalogs.CATALOGS`.
    flux_layer : str, optional
        Layer with all bands, if ``layer`` only has those of ``rgb``.
    releases : dict
        Name of a service to its data release, for services that differ from ``release``.
    other_colors : tuple of str
        Services whose pictures have a different color mapping. Their rows are flagged
        ``OTHER_COLORS``.
    camera : str
        The camera. If a survey has no weights, astromorph uses those of a survey with this camera.
    layer_zero_point : float, optional
        AB magnitude of flux 1 in the viewer's FITS files of the layer. By default they are in
        nanomaggies.
    hips_rgb : tuple of str
        Bands that the color HiPS shows as red, green and blue, if they are not ``rgb``.
    moc : str, optional
        Identifier of its coverage map (MOC) at the CDS. With ``footprint=True`` astromorph requests
        no images that are surely outside.
    rsp : str, optional
        Data preview of the Rubin Science Platform, such as ``"dp1"``.
    reported : str
        Which parts of the record are reported or estimated, and not confirmed by the service's
        source code or an official page.

    Raises
    ------
    ArgumentError
        If a field has a wrong value. The message names the field.

    See Also
    --------
    get_survey : Look up a survey by name.
    astromorph.images.fit_stretch : Fit the color mapping to some images.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from astromorph import get_survey
    >>> deep = replace(get_survey("des"), name="deep", title="A deep survey", depth=26.5)
    >>> deep.rgb
    ('z', 'r', 'g')
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
    release: str = ""
    depth: float | None = None
    declinations: tuple = (-90.0, 90.0)
    services: tuple = ("hips2fits",)
    hips: dict = field(default_factory=dict)
    hips_zero_point: float | str | None = None
    layer: str | None = None
    sia: str | None = None
    catalog: str | None = None
    flux_layer: str | None = None
    releases: dict = field(default_factory=dict)
    other_colors: tuple = ()
    camera: str = ""
    layer_zero_point: float | None = None
    hips_rgb: tuple = ()
    moc: str | None = None
    rsp: str | None = None
    reported: str = ""

    def __post_init__(self):
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type is tuple and isinstance(value, list):
                object.__setattr__(self, each.name, tuple(value))
        for name, (expected, accepts) in RULES.items():
            value = getattr(self, name)
            if not accepts(value):
                raise wrong(name, expected, f"{value!r:.200}")
        if not set(self.rgb) <= set(self.bands):
            raise wrong("rgb", f"one to three of the bands {', '.join(self.bands)}", repr(self.rgb))
        if not set(self.rgb) <= set(self.scales):
            raise wrong("scales", f"the brightness of {', '.join(self.rgb)}", repr(self.scales))

    def preview(self, image, *, bands=None, ax=None):
        """Draw an image with the color mapping of this record, and brightness against flux.

        Parameters
        ----------
        image : object
            Flux, in any form that `~astromorph.read_cutout` takes.
        bands : sequence of str, optional
            Names of its planes in their order. By default the headers name them.
        ax : `~matplotlib.axes.Axes`, optional
            Where to draw. By default a new figure.

        Returns
        -------
        `~matplotlib.axes.Axes`

        Raises
        ------
        CutoutError
            If the image cannot be used.

        See Also
        --------
        astromorph.images.fit_stretch : Fit the color mapping to some images.

        Examples
        --------
        >>> from astromorph import get_survey
        >>> from astromorph.datasets import load_sample
        >>> ax = get_survey("sdss").preview(load_sample()["file"][0])
        """
        import astromorph.plots  # only here: plots itself imports this module

        return astromorph.plots.plot_stretch(image, self, bands=bands, ax=ax)

    def to_json(self) -> dict:
        """Convert the record to a dict that JSON can hold.

        Returns
        -------
        dict
            Field to value. A quantity becomes a list of its value and its unit.

        Examples
        --------
        >>> from astromorph import get_survey
        >>> get_survey("des").to_json()["pixel_scale"]
        [0.262, 'arcsec']
        """
        record = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        for each in fields(self)[_FIRST_FIELDS:]:  # so that checksums of older cards stay valid
            if getattr(self, each.name) == default_of(each):
                del record[each.name]
        return record

    @classmethod
    def from_json(cls, record):
        """Make a survey from the result of `to_json`.

        Parameters
        ----------
        record : dict
            Field to value, perhaps read from JSON.

        Returns
        -------
        Survey

        Raises
        ------
        ArgumentError
            If a field is missing or unknown, or has a wrong value.

        Examples
        --------
        >>> from astromorph import Survey, get_survey
        >>> Survey.from_json(get_survey("des").to_json()) == get_survey("des")
        True
        """
        kinds = {each.name: each.type for each in fields(cls)}
        try:
            return cls(**{name: _restored(value, kinds.get(name))
                          for name, value in record.items()})
        except (TypeError, AttributeError) as error:
            raise wrong("record", "the fields of a Survey", f"{record!r:.200}",
                        f"{error}.") from error

    @classmethod
    def from_toml(cls, path):
        """Read a record from a TOML file.

        Parameters
        ----------
        path : path
            A TOML file with one entry per field. Quantities are text such as ``"0.2 arcsec"``.

        Returns
        -------
        Survey

        Raises
        ------
        OSError
            If the file cannot be read.
        ArgumentError
            If the file is not TOML, or a field is missing, unknown or wrong. The message names the
            file and the field.

        Examples
        --------
        >>> from importlib import resources
        >>> from astromorph import Survey
        >>> Survey.from_toml(resources.files("astromorph") / "records" / "kids.toml").title
        'Kilo-Degree Survey'
        """
        try:
            return cls(**read_toml(path, fields(cls)))
        except ArgumentError as error:
            if str(path) in str(error):
                raise
            raise wrong(f"{error.argument} in {path}", error.expected, error.received,
                        error.hint) from error

    def to_toml(self) -> str:
        """Format the record as TOML.

        Returns
        -------
        str
            The contents of a file for `from_toml`.

        Examples
        --------
        >>> from astromorph import get_survey
        >>> print(get_survey("kids").to_toml().splitlines()[4])
        pixel_scale = "0.2 arcsec"
        """
        return toml_text(self.to_json())


_FIRST_FIELDS = 19  # the fields that all cards have


def _plain(value):
    """Convert a value to a type of JSON."""
    if isinstance(value, u.Quantity):
        return [value.value.item(), value.unit.to_string()]
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, dict) else value


def _restored(value, kind):
    """Convert a value from JSON to the type of its field."""
    if kind is u.Quantity:
        number, unit = value
        return number * u.Unit(unit)
    return tuple(value) if kind is tuple else dict(value) if kind is dict else value


# SDSS: a fifth of the viewer's scales. With these, simulated galaxies have the sky, noise and cores
# of SkyServer's JPEGs, which Galaxy Zoo 2 used. DECam: the scales of the viewer since its DR2.
_SDSS = {"scales": {"g": 0.5, "r": 0.3, "i": 0.2, "z": 0.08}, "offset": 0.004, "softening": 20.0,
         "camera": "SDSS", "moc": "CDS/P/SDSS9/color"}
_DECAM = {"camera": "DECam",
          "scales": {"g": 6.0, "r": 3.4, "i": 3.0, "z": 2.2}, "offset": 0.03, "softening": 20.0,
          "pixel_scale": 0.262 * u.arcsec, "sky_noise": 0.004 * u.nmgy}


def _hips(survey, bands, **others):
    names = dict(zip(bands, bands)) | others
    return {band: f"CDS/P/{survey}/{name}" for band, name in names.items()}


SURVEYS = {survey.name: survey for survey in (
    Survey("sdss", "Sloan Digital Sky Survey", ("u", "g", "r", "i", "z"), ("i", "r", "g"),
           pixel_scale=0.396127 * u.arcsec, psf_fwhm=1.32 * u.arcsec, sky_noise=0.028 * u.nmgy,
           release="DR17", depth=22.7, declinations=(-26, 86),
           releases=dict.fromkeys(("viewer-fits", "hips2fits", "hips2fits-fits"), "DR9-DR13"),
           services=("skyserver", "viewer-fits", "hips2fits", "hips2fits-fits", "sdss-frames"),
           hips=_hips("SDSS9", "ugriz", color="color"), layer="sdss", catalog="sdss", **_SDSS),
    Survey("legacy", "DESI Legacy Imaging Surveys", ("g", "r", "i", "z"), ("z", "r", "g"),
           psf_fwhm=1.18 * u.arcsec, release="DR10", depth=23.9, declinations=(-90, 85),
           services=("viewer", "viewer-fits", "hips2fits-fits", "hips2fits"),
           other_colors=("hips2fits",),  # the CDS made these pictures, from griz
           hips=_hips("DESI-Legacy-Surveys/DR10", "griz", color="color"), layer="ls-dr10-grz",
           flux_layer="ls-dr10", catalog="legacy", **_DECAM),
    Survey("des", "Dark Energy Survey", ("g", "r", "i", "z", "Y"), ("z", "r", "g"),
           psf_fwhm=0.96 * u.arcsec, release="DR2", depth=24.9, declinations=(-70, 7),
           services=("viewer", "viewer-fits", "hips2fits-fits", "sia"), hips_zero_point=30.0,
           hips=_hips("DES-DR2", "grizY"), layer="des-dr1", sia="des_dr2", catalog="des",
           releases={"viewer": "DR1", "viewer-fits": "DR1"}, moc="CDS/P/DES-DR2/r",
           **_DECAM),
)}
"""Name of a survey to its `Survey` (`dict`). You may add records of your own."""
SURVEYS |= {survey.name: survey for survey in map(Survey.from_toml, sorted(
    Path(str(resources.files("astromorph") / "records")).glob("*.toml")))}

BUNDLED = MappingProxyType(dict(SURVEYS))
"""The records that come with this version, without those that users add to `SURVEYS`."""


def get_survey(survey) -> Survey:
    """Look up a survey by name.

    Parameters
    ----------
    survey : str or Survey
        Name in upper or lower case, or a record, which is returned unchanged.

    Returns
    -------
    Survey

    Raises
    ------
    ArgumentError
        If there is no survey of that name.

    See Also
    --------
    Survey : Describe a survey of your own.

    Examples
    --------
    >>> from astromorph import get_survey
    >>> get_survey("SDSS").title
    'Sloan Digital Sky Survey'
    """
    if isinstance(survey, Survey):
        return survey
    try:
        return SURVEYS[survey.strip().lower()]
    except (KeyError, AttributeError):
        raise wrong("survey", f"one of {', '.join(map(repr, SURVEYS))}, or a Survey",
                    repr(survey)) from None
