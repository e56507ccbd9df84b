"""The options that say how images are fetched."""
from dataclasses import dataclass, fields

from astromorph.arguments import check_names

__all__ = ["PER_HOST", "FetchOptions"]

PER_HOST = 6
"""Default limit of simultaneous requests to one host (int)."""


@dataclass(frozen=True)
class FetchOptions:
    """Options for fetching images of positions.

    Parameters
    ----------
    bands : str, optional
        Bands of FITS images. By default the bands that the survey shows in color.
    pixels : int, optional
        Side of the images in pixels, for services that resample. By default 212.
    services : str, callable or list of them, optional
        Image services, in the order in which astromorph tries them. Each is a name in
        `~astromorph.services.IMAGE_SERVICES`, a local source, or your own callable. By default the
        services of the survey.
    cache : bool, path or `~astromorph.cutouts.CutoutCache`
        True uses the default cache, False none. A path names the folder of the cache.
    offline : bool
        Use the cache and local sources only.
    max_age : `~astropy.units.Quantity`, optional
        Download cached images again if they are older than this time. If that fails, astromorph
        uses the old image and flags it as ``STALE``.
    per_host : int
        Limit of simultaneous requests to one host. astromorph starts with fewer, and slows down
        when a host asks for it.
    timeout : float
        Longest time in seconds for a request and its whole answer. An answer of more than 32
        kilobytes per second may take four times as long.
    footprint : bool
        Request no images that are surely outside the survey's coverage map. The CDS delivers the
        map, and the cache keeps it. This needs the extra ``[footprints]``.
    retries : int
        Largest number of attempts after the first one, if an error may be temporary.

    See Also
    --------
    astromorph.fetch_cutouts : Download images with these options.

    Examples
    --------
    >>> from astromorph.cutouts import FetchOptions
    >>> FetchOptions.of({"offline": True}) == FetchOptions(offline=True)
    True
    >>> FetchOptions.names()[:3]
    ('bands', 'pixels', 'services')
    """

    bands: str | None = None
    pixels: int | None = None
    services: object = None
    cache: object = True
    offline: bool = False
    max_age: object = None
    per_host: int = PER_HOST
    timeout: float = 30.0
    footprint: bool = False
    retries: int = 6

    @classmethod
    def names(cls):
        """List the names of the options.

        Returns
        -------
        tuple of str
        """
        return tuple(option.name for option in fields(cls))

    @classmethod
    def of(cls, given):
        """Make the options from a dict.

        Parameters
        ----------
        given : dict
            Name of an option to its value.

        Returns
        -------
        FetchOptions

        Raises
        ------
        ArgumentTypeError
            If an option does not exist. The message suggests the most similar name.
        """
        check_names(given, cls.names())
        return cls(**given)
