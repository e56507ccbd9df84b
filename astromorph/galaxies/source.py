"""The interface of sources of galaxies, and the choice of the source that fits the data."""
from inspect import signature
from typing import Protocol, runtime_checkable

from astropy.coordinates import SkyCoord
from astropy.table import Table

from astromorph.arguments import check_names
from astromorph.errors import wrong
from astromorph.flags import MorphFlag
from astromorph.galaxies.frames import FrameOptions
from astromorph.galaxies.kinds import as_galaxies
from astromorph.galaxies.loaded import Loaded
from astromorph.galaxies.placed import open_images
from astromorph.surveys import get_survey

__all__ = ["GalaxySource", "check_options", "open_source"]


@runtime_checkable
class GalaxySource(Protocol):
    """Galaxies, one per row, whose frames many threads can load; a context manager.

    Iterating gives the items for `load`, one per row.

    Attributes
    ----------
    table : `~astropy.table.Table`
        The table to fill, a copy of the user's table.
    provenance_columns : dict of str to tuple
        Columns for the provenance of images: name to type, unit, description and UCD, as in
        `~astromorph.cutouts.PROVENANCE`.
    threads : int
        Number of threads that load rows by default.
    prefetch : int
        Number of rows to load ahead.
    chunk : int
        Number of rows that a thread loads at a time.
    retryable : `~astromorph.flags.MorphFlag`
        Bits that another attempt may clear.

    Examples
    --------
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.galaxies import open_source
    >>> from astromorph.model import TrainedModel
    >>> model = TrainedModel.bundled("sdss")
    >>> with open_source(model, load_sample(), images="file", r90="petroR90") as source:
    ...     items = list(source)
    ...     loaded = source.load(items[0], model.size, model.frame_r90)
    ...     identity = source.identity()
    >>> len(items), loaded.pixels.shape, loaded.flag
    (12, (80, 80, 3), <MorphFlag: 0>)
    """

    table: Table
    provenance_columns: dict
    threads: int
    prefetch: int
    chunk: int
    retryable: MorphFlag

    def __len__(self): ...

    def __iter__(self): ...

    def __enter__(self): ...

    def __exit__(self, *exception): ...

    def load(self, item, size, frame_r90, margin) -> Loaded:
        """Load the frame of one row.

        Parameters
        ----------
        item : object
            The item of the row.
        size : int
            Side of the network's frame in pixels.
        frame_r90 : float
            Width of the frame in R90.
        margin : int
            Pixels to add around the frame.

        Returns
        -------
        Loaded
        """

    def identity(self) -> dict:
        """Describe the rows; equal for the same images with the same frames.

        Returns
        -------
        dict
            Names to values, in the types of JSON.
        """


def open_source(model, data, *, images=None, cutout_r90=None, r90=None, width=None,
                pixel_scale=None, survey=None, bands=None, ids=None, provenance=False, ra=None,
                dec=None, **fetch):
    """Make the source of galaxies that fits the data.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model. It sets the width of the frames and, for positions, the default survey.
    data, images, cutout_r90, r90, width, pixel_scale, survey, bands, ids, provenance, ra, dec
        See `~astromorph.classifier.MorphologyClassifier.classify`.
    **fetch
        See `~astromorph.classifier.MorphologyClassifier.classify`.

    Returns
    -------
    GalaxySource

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value.

    Examples
    --------
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.galaxies import open_source
    >>> from astromorph.model import TrainedModel
    >>> model = TrainedModel.bundled("sdss")
    >>> with open_source(model, load_sample(), images="file", r90="petroR90") as source:
    ...     print(len(source.table), type(source.table).__name__)
    12 Table
    """
    data = as_galaxies(data)
    frames = FrameOptions(cutout_r90, r90, width, pixel_scale)
    survey = survey if survey is None else get_survey(survey)
    check_options(fetch)
    if images is None and isinstance(data, (SkyCoord, Table)):
        if pixel_scale is not None:
            raise wrong("pixel_scale", "images that it applies to", "positions")
        from astromorph.galaxies.sky import SkyPositions  # loads the clients of the services

        return SkyPositions(data, survey or model.survey, frame_r90=model.frame_r90, frames=frames,
                            bands=bands, ids=ids, provenance=provenance, ra=ra, dec=dec, **fetch)
    others = {"ids": ids, "provenance": provenance or None}
    if not isinstance(data, (SkyCoord, Table)):
        others |= {"width": width, "ra": ra, "dec": dec}
    others = [name for name, value in (others | fetch).items() if value is not None]
    if others:
        raise wrong(", ".join(others), "positions that it applies to: a table or SkyCoord without "
                    "images=", "images")
    return open_images(data, images, ra=ra, dec=dec, frame_r90=model.frame_r90, frames=frames,
                       survey=survey, bands=bands)


def check_options(given, *functions):
    """Raise unless options belong to one of the functions or to `open_source`.

    Parameters
    ----------
    given : iterable of str
        Names of the options.
    *functions : callable
        Functions that take other options.

    Raises
    ------
    ArgumentTypeError
        If an option does not exist. The message suggests the most similar name.
    """
    known = [name for function in (*functions, open_source)
             for name, parameter in signature(function).parameters.items()
             if name not in ("model", "data") and parameter.kind is not parameter.VAR_KEYWORD]
    if not set(given) <= set(known):
        from astromorph.cutouts.options import FetchOptions  # loads the clients of the services

        check_names(given, dict.fromkeys([*known, *FetchOptions.names()]))
