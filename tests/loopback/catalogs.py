"""Catalog services: SkyServer's SQL and cross-identification, and TAP."""
import csv
import io
import json

from astropy.table import Table

from loopback.frames import frames_of
from loopback.messages import Response, text
from loopback.queries import QueryError, Selection, row_of
from loopback.votable import votable, votable_error

__all__ = ["skyserver", "tap"]


def skyserver(request, sky, faults):
    """SQL (``cmd``) and cross-identification (``uquery`` with an uploaded list), as CSV or JSON."""
    query = request.query
    if "fdoccolumns" in query.get("cmd", "").lower():
        return _columns(sky)
    try:
        if "uquery" in query:
            selection = Selection(query["uquery"])
            galaxies = _identified(request, sky)
        else:
            selection = Selection(query.get("cmd", ""))
            galaxies = selection.galaxies(sky, "sdss")
        frames = "camcol" in selection.columns.values()
        rows = selection.answer(_sdss_rows(galaxies, every_frame=frames))
    except QueryError as error:
        return text(f"#Table1\nerror_message\n\"{error}\"\n", content_type="text/csv")
    if query.get("format", "csv").lower() == "json":
        found = [dict(zip(selection.columns, row)) for row in rows]
        return text(json.dumps([{"TableName": "Table1", "Rows": found}]),
                    content_type="application/json")
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([selection.columns, *rows])
    return text("#Table1\n" + file.getvalue(), content_type="text/csv")


def tap(request, sky, faults):
    """``sync?QUERY=<ADQL>``: tables whose name begins with ls_ or des_, as a VOTable."""
    try:
        if request.query.get("lang", "ADQL") != "ADQL":
            raise QueryError("LANG must be ADQL")
        selection = Selection(request.query.get("query", ""))
        selection.refuse_what_tap_refuses()
        survey = {"ls": "legacy", "de": "des"}.get(selection.table[:2])
        if survey is None:
            raise QueryError(f"Table {selection.table} not found")
        galaxies = selection.galaxies(sky, survey)
        rows = [row_of(galaxy, survey) for galaxy in galaxies]
        if selection.table.startswith("ls_dr11"):  # as reported: these two are exchanged
            rows = [row | {"type": row["ref_cat"], "ref_cat": row["type"]} for row in rows]
        rows = selection.answer(rows)
    except QueryError as error:
        return text(votable_error(str(error)), content_type="application/x-votable+xml")
    most = min(int(request.number("maxrec", faults.max_rows)), faults.max_rows)
    table = Table(rows=rows[:most] or None, names=list(selection.columns),
                  dtype=None if rows[:most] else [float] * len(selection.columns))
    return Response(votable(table, overflow=len(rows) > most), "application/x-votable+xml")


def _sdss_rows(galaxies, *, every_frame):
    """One row a galaxy, or one for each of its frames."""
    keys = ("run", "rerun", "camcol", "field")
    return [row_of(galaxy, "sdss") | dict(zip(keys, frame)) for galaxy in galaxies
            for frame in frames_of(galaxy)[:None if every_frame else 1]]


def _identified(request, sky):
    """The galaxies at the positions of the uploaded list, or all within the radius of them."""
    if request.number("radius", 1.0) > 3:
        raise QueryError("radius must be at most 3 arcmin")
    found = []
    for line in request.upload.splitlines()[1:]:
        if not line.strip():
            continue
        ra, dec = map(float, line.split()[-2:])
        if sky.covers("sdss", dec):
            found.append(sky.galaxy_at(ra, dec))
        if request.query.get("photoscope") == "allObj":
            found += sky.catalog("sdss", ra, dec, request.number("radius") / 60)
    return list(dict.fromkeys(found))


def _columns(sky):
    """Answer astroquery's question for the columns of a table."""
    row, = _sdss_rows([sky.galaxy_at(180, 0)], every_frame=False)
    rows = [{"enum": "", "name": name, "type": "real", "description": ""} for name in row]
    return text(json.dumps([{"TableName": "Table1", "Rows": rows}]),
                content_type="application/json")
