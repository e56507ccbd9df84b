"""Classified galaxies on the sky, in a notebook: Aladin Lite."""
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astromorph.arguments import as_floats, check_number
from astromorph.distribution import missing
from astromorph.errors import ArgumentError, warn, wrong
from astromorph.galaxies.regions import CLASS_COLORS, find_classes
from astromorph.surveys import SURVEYS, get_survey
from astromorph.tables.columns import check_cells, narrow
from astromorph.tables.positions import find_positions
from astromorph.tables.votables import as_votable

__all__ = ["show"]

_TWO_COLORS = ("magenta", "cyan", "gray")  # yes, no, not classified
_MARGIN, _NARROWEST = 1.2, 2 / 60  # of the field of view; the narrowest in degrees


def show(table, *, column=None, threshold=0.5, survey=None, **options):
    """Show classified galaxies in Aladin Lite, in a notebook, colored by answer.

    Each answer is a catalog of its own, which can be switched off in Aladin's list. A warning names
    the columns that Aladin cannot show.

    Parameters
    ----------
    table : `~astropy.table.Table`
        With positions, and the columns of `~astromorph.MorphologyClassifier.classify`.
    column : str, optional
        Color by this column of probabilities alone: from the threshold, below it, and without one.
        By default by class, in the colors of `~astromorph.galaxies.regions.CLASS_COLORS`.
    threshold : float
        Probability from which an answer counts as positive.
    survey : str or `~astromorph.surveys.Survey`, optional
        Whose images are shown; by default those of the survey that the weights are for.
    **options
        Of `ipyaladin.Aladin`, as ``height`` or ``fov``.

    Returns
    -------
    `ipyaladin.Aladin`
        Its ``selected_objects`` are the galaxies that were selected there.

    Raises
    ------
    ImportError
        If ipyaladin is not installed.
    TypeError, ValueError
        If there are no positions or answers, or an argument is not as described.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.interop import show
    >>> tbl = Table({"ra": [10.0, 11.0], "dec": [0.0, 0.0], "P_disk": [0.9, 0.1]})
    >>> view = show(tbl, column="P_disk", height=400)
    """
    try:
        from ipyaladin import Aladin
    except ImportError as error:
        raise missing("The view in Aladin Lite", "ipyaladin", "notebook") from error
    if not isinstance(table, Table):
        raise wrong("table", "an astropy table", type(table).__name__)
    check_number(threshold, "threshold", "one number in 0..1", lambda value: 0 <= value <= 1)
    names, colors = _groups(table, column, threshold)
    galaxies, placed = _with_positions(table)
    widget = Aladin(**_view(galaxies, placed) | _hips(table, survey) | options)
    for name, color in colors.items():
        rows = placed & (names == name)
        if rows.any():
            widget.add_table(galaxies[rows], name=name, color=color, shape="circle",
                             ra_field="ra", dec_field="dec")
    return widget


def _groups(table, column, threshold):
    """Name of each row's answer, and the color of each name."""
    if column is None:
        return find_classes(table, threshold)[0], CLASS_COLORS
    if column not in table.colnames:
        raise wrong("column", f"one of {', '.join(table.colnames)}", repr(column))
    values = as_floats(table[column], column)
    colors = dict(zip((f"{column} of {threshold:g} or more", f"{column} below {threshold:g}",
                       "unclassified"), _TWO_COLORS))
    yes, no, none = colors
    return np.select([np.isnan(values), values >= threshold], [none, yes], no), colors


def _with_positions(table):
    """The table with its positions in front, as Aladin finds them; which rows have one."""
    ra, dec = find_positions(table)
    if not (placed := np.isfinite(ra)).any():
        raise wrong("table", "galaxies with a position", "none")
    galaxies, left_out = Table({"ra": ra, "dec": dec}), []
    for name in table.colnames:
        try:
            columns = _shown(table[[name]])
        except ArgumentError:
            left_out.append(name)
            continue
        for column in columns:
            if column.name.lower() not in ("ra", "dec"):
                galaxies[column.name] = column
    if left_out:
        warn(f"Aladin Lite does not show the columns {', '.join(left_out)}. It shows one number or "
             "text per row.")
    return galaxies, placed


def _shown(table):
    """The columns of a table as Aladin reads them; raise if it cannot."""
    as_votable(table)
    columns = [*narrow(table).itercols()]
    for column in columns:
        check_cells(column, "Aladin Lite", most=1)
    return columns


def _view(galaxies, placed):
    """The middle of the galaxies, and a field of view that shows all of them."""
    places = SkyCoord(galaxies["ra"][placed], galaxies["dec"][placed], unit="deg")
    middle = SkyCoord(places.cartesian.mean(), representation_type="unitspherical")
    middle = SkyCoord(middle.represent_as("unitspherical"))
    radius = middle.separation(places).max().deg
    return {"target": middle, "fov": float(np.clip(2 * _MARGIN * radius, _NARROWEST, 180))}


def _hips(table, survey):
    """The survey's color images, where they are known."""
    known = SURVEYS.get(str(table.meta.get("MORPHSRV")))
    record = get_survey(survey) if survey is not None else known
    hips = record and record.hips.get("color")
    return {"survey": hips} if hips else {}
