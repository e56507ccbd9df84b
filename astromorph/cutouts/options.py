"""How images are fetched: the one list of these options."""
from dataclasses import dataclass, fields

from astromorph.arguments import check_names

__all__ = ["PER_HOST", "FetchOptions"]

PER_HOST = 6
"""Most requests under way at a time to one host, by default."""


@dataclass(frozen=True)
class FetchOptions:
    """How images of positions are fetched.

    Parameters
    ----------
    bands : str, optional
        Bands of FITS images; by default the three that the survey shows in color.
    pixels : int, optional
        Pixels of the images on a side, from services that resample; by default 212.
    services : str, callable or list of them, optional
        Image services, in the order to try: names from `~astromorph.services.IMAGE_SERVICES`, local
        sources, or callables of your own. By default those of the survey.
    cache : bool, path or `~astromorph.cutouts.CutoutCache`
        Whether and where to keep images.
    offline : bool
        Use the cache and local sources only.
    max_age : `~astropy.units.Quantity`, optional
        Ask again for cached images older than this; when that fails they are used, and flagged.
    per_host : int
        Most requests under way at a time to one host. Fewer are made at first, and after an answer
        that asks for fewer.
    timeout : float
        Seconds for a request and its whole answer; up to four times as many while more than 32
        kilobytes come per second.
    footprint : bool
        Ask for nothing that lies surely outside of the survey's coverage map, which is asked for
        once at the CDS and kept in the cache; needs the extra ``[footprints]``.
    retries : int
        Most attempts after a first one that failed and may succeed later.
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
        """Names of the options.

        Returns
        -------
        tuple of str
        """
        return tuple(option.name for option in fields(cls))

    @classmethod
    def of(cls, given):
        """Take options by name.

        Parameters
        ----------
        given : dict
            Some of the options.

        Returns
        -------
        FetchOptions

        Raises
        ------
        TypeError
            If there is no such option; the message names the nearest one.
        """
        check_names(given, cls.names())
        return cls(**given)
