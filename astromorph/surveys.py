"""What a survey is: its bands, pixels, point-spread function and color mapping, one record each."""
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
    """How a survey sees the sky and how its color images are made.

    The color mapping is that of the Legacy Surveys viewer (Lupton et al. 2004, PASP 116, 133, with
    an arcsinh of the mean over the bands); see `~astromorph.images.composite.color_composite`.

    Parameters
    ----------
    name : str
        Short name, as the ``survey`` argument takes it.
    title : str
        Name to show.
    bands : tuple of str
        Bands the survey images, by any names, the bluest first.
    rgb : tuple of str
        The three bands shown as red, green and blue; two bands as red and blue, with their mean as
        green; a single one as gray.
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
    release : str
        Data release that the images are taken from.
    depth : float, optional
        Typical limiting magnitude in r (AB, point sources, 5 sigma).
    declinations : tuple of float
        Lowest and highest declination with images, in degrees: nothing is asked outside.
    services : tuple of str
        Names of the image services, in the order in which they are tried; see
        `~astromorph.services.IMAGE_SERVICES`, where one of your own may be added after the record
        is made: they are looked up when images are to be fetched.
    hips : dict
        Full HiPS identifiers: of bands, and ``"color"`` for pictures in the bands ``rgb``.
    hips_zero_point : float or "unknown", optional
        AB magnitude of flux 1 in the HiPS of single bands; by default they are in nanomaggies.
        Where it is unknown, brightness comes from the noise, and rows are flagged.
    layer : str, optional
        Layer of the Legacy Surveys viewer whose pictures have this color mapping.
    sia : str, optional
        Collection of NOIRLab's Simple Image Access service.
    catalog : str, optional
        Catalog of its galaxies; see `~astromorph.galaxies.catalogs.CATALOGS`.
    flux_layer : str, optional
        Layer that has all bands, where ``layer`` only has those of ``rgb``.
    releases : dict
        Service name to its data release, for services with another one than ``release``.
    other_colors : tuple of str
        Services whose pictures have another color mapping than this one: their rows are flagged
        ``OTHER_COLORS``.
    camera : str
        The camera, by which weights of another survey are chosen where it has none of its own.
    layer_zero_point : float, optional
        AB magnitude of flux 1 in the viewer's FITS of the layer; by default nanomaggies.
    hips_rgb : tuple of str
        What the color HiPS shows as red, green and blue, where that is not ``rgb``.
    moc : str, optional
        Identifier of its coverage map (MOC) at the CDS, by which rows that are surely outside ask
        for nothing, where that is wanted.
    rsp : str, optional
        Data preview of the Rubin Science Platform, as ``"dp1"``.
    reported : str
        What of the record is only reported or estimated, and has not been read in the service's
        source or an official page.

    Raises
    ------
    ValueError
        If a field is not as described; the message names it.

    See Also
    --------
    get_survey : Look up a survey by name.

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
    hips_zero_point: float | None = None
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
        """Draw an image as the record shows it, with its stretch: brightness against flux.

        Parameters
        ----------
        image : object
            Flux, in any form that `~astromorph.read_cutout` takes.
        bands : sequence of str, optional
            Names of its planes in their order, in place of those in the headers.
        ax : `~matplotlib.axes.Axes`, optional
            Where to draw the image; by default a new figure.

        Returns
        -------
        `~matplotlib.axes.Axes`

        See Also
        --------
        astromorph.images.fit_stretch : Find the stretch from some images.

        Examples
        --------
        >>> from astromorph import get_survey
        >>> from astromorph.datasets import load_sample
        >>> ax = get_survey("sdss").preview(load_sample()["file"][0])
        """
        import astromorph.plots  # high above this module, which all others stand on

        return astromorph.plots.plot_stretch(image, self, bands=bands, ax=ax)

    def to_json(self) -> dict:
        """Give the record as JSON can hold it.

        Returns
        -------
        dict
            Field -> value; a Quantity is a list of its value and its unit.

        Examples
        --------
        >>> from astromorph import get_survey
        >>> get_survey("des").to_json()["pixel_scale"]
        [0.262, 'arcsec']
        """
        record = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        for each in fields(self)[_FIRST_FIELDS:]:  # the checksums of older cards stay the same
            if getattr(self, each.name) == default_of(each):
                del record[each.name]
        return record

    @classmethod
    def from_json(cls, record):
        """Make a survey of what `to_json` gave.

        Parameters
        ----------
        record : dict
            Field -> value, perhaps from JSON.

        Returns
        -------
        Survey

        Raises
        ------
        ValueError
            If a field is missing, unknown, or not what it should be.

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
            Holds the fields by their names; quantities are text such as ``"0.2 arcsec"``.

        Returns
        -------
        Survey

        Raises
        ------
        OSError, ValueError
            If the file cannot be read, or a field is not what it should be; the message names
            both.

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
        """Give the record as a TOML file holds it.

        Returns
        -------
        str

        Examples
        --------
        >>> from astromorph import get_survey
        >>> print(get_survey("kids").to_toml().splitlines()[4])
        pixel_scale = "0.2 arcsec"
        """
        return toml_text(self.to_json())


_FIRST_FIELDS = 19  # those that every card has had


def _plain(value):
    """A value as JSON has it."""
    if isinstance(value, u.Quantity):
        return [value.value.item(), value.unit.to_string()]
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, dict) else value


def _restored(value, kind):
    """A value as a field of this kind has it."""
    if kind is u.Quantity:
        number, unit = value
        return number * u.Unit(unit)
    return tuple(value) if kind is tuple else dict(value) if kind is dict else value


# SDSS: the viewer's scales, a fifth as bright, which gives simulated galaxies the sky, noise and
# cores that SkyServer's JPEGs (those of Galaxy Zoo 2) show. DECam: the viewer's own since DR2.
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
           other_colors=("hips2fits",),  # drawn by the CDS, from griz
           hips=_hips("DESI-Legacy-Surveys/DR10", "griz", color="color"), layer="ls-dr10-grz",
           flux_layer="ls-dr10", catalog="legacy", **_DECAM),
    Survey("des", "Dark Energy Survey", ("g", "r", "i", "z", "Y"), ("z", "r", "g"),
           psf_fwhm=0.96 * u.arcsec, release="DR2", depth=24.9, declinations=(-70, 7),
           services=("viewer", "viewer-fits", "hips2fits-fits", "sia"), hips_zero_point=30.0,
           hips=_hips("DES-DR2", "grizY"), layer="des-dr1", sia="des_dr2", catalog="des",
           releases={"viewer": "DR1", "viewer-fits": "DR1"}, moc="CDS/P/DES-DR2/r",
           **_DECAM),
)}
SURVEYS |= {survey.name: survey for survey in map(Survey.from_toml, sorted(
    Path(str(resources.files("astromorph") / "records")).glob("*.toml")))}

BUNDLED = MappingProxyType(dict(SURVEYS))
"""The records that come with this version, whatever users add to `SURVEYS`."""


def get_survey(survey) -> Survey:
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
