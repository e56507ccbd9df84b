"""Enough SQL and ADQL to ask the simulated sky for its galaxies."""
import operator
import re

__all__ = ["QueryError", "Selection", "row_of"]

_R90_PER_R50 = 2.318  # of an exponential disk
_COLORS = {"u": 2.0, "g": 0.6, "r": 0.0, "i": -0.35, "z": -0.6, "y": -0.65}  # mag, less r
_DES_PIXEL = 0.263  # arcsec

_NUMBER = r"\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*"
_THREE, _FOUR = (",".join([_NUMBER] * n) for n in (3, 4))
_CIRCLE = rf"q3c_radial_query\([^,]+,[^,]+,{_THREE}\)"
_NEARBY = rf"fget(?:nearby|nearest)\w+eq\({_THREE}\)"
_RECTANGLE = rf"fgetobjfromrect\w*\({_FOUR}\)"
_BETWEEN = r"\b(?:\w+\.)?{}\s+between" + _NUMBER + "and" + _NUMBER
_WRAPPED = rf"ra\s*>={_NUMBER}\)?\s*or\s*\(?(?:\w+\.)?ra\s*<={_NUMBER}"
_IN = r"\b(?:\w+\.)?(\w+)\s+in\s*\(([^()]*)\)"
_LIMIT = rf"\b(?:\w+\.)?(\w+)\s*(<=|>=|<|>|=){_NUMBER}"
_COMPARE = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
            "=": operator.eq}


class QueryError(ValueError):
    """The query cannot be answered."""


class Selection:
    """The parts of a SELECT: ``columns`` maps names in the answer to those in the catalog.

    Parameters
    ----------
    query : str
    """

    def __init__(self, query):
        match = re.fullmatch(r"\s*select\s+(?:distinct\s+)?(?:top\s+(\d+)\s+)?(.*?)\s+from\s+(.*)",
                             query, re.IGNORECASE | re.DOTALL)
        if match is None:
            raise QueryError("Incorrect syntax: expected SELECT columns FROM table")
        top, columns, self.conditions = match[1], match[2], match[3].lower()
        self.columns = dict(map(_column, re.split(r",(?![^()]*\))", columns)))
        self.table = re.match(r"[\w.#]*", self.conditions)[0]
        limit = re.search(r"\blimit\s+(\d+)", self.conditions)
        self.top = int(top or limit[1]) if top or limit else None

    def galaxies(self, sky, survey):
        """List the galaxies in the circles and boxes of the query."""
        circles = self._numbers(_CIRCLE)
        circles += [(ra, dec, arcmin / 60) for ra, dec, arcmin in self._numbers(_NEARBY)]
        boxes = self._boxes()
        if not circles and not boxes and self.top == 1:  # any row
            return sky.catalog(survey, 180.0, 0.0, 1.0)
        if not circles and not boxes:
            raise QueryError("the query has no circle and no box that this sky understands")
        found = [sky.catalog(survey, *circle) for circle in circles]
        found += [sky.box(survey, *box) for box in boxes]
        return list(dict.fromkeys(galaxy for galaxies in found for galaxy in galaxies))

    def answer(self, rows):
        """Choose the columns of those rows that meet the conditions: a list of tuples."""
        missing = set(self.columns.values()) - set(rows[0] if rows else self.columns.values())
        if missing:
            raise QueryError(f"Invalid column name '{min(missing)}'.")
        limits = self._comparisons() + [
            (name, _is_one_of, re.findall(r"'(\w*)'", values.upper()))
            for name, values in re.findall(_IN, self.conditions)]
        return [tuple(row[name] for name in self.columns.values()) for row in rows
                if all(compare(row[name], value) for name, compare, value in limits
                       if name in row)][:self.top]

    def refuse_what_tap_refuses(self):
        """NOIRLab's ADQL knows no geometry, and takes no function as a condition."""
        if found := re.search(r"\b(point|circle|contains|intersects)\s*\(", self.conditions):
            raise QueryError(f"function {found[1]}(...) does not exist")
        if re.search(r"(?<!')(?<!'\s)(?<!=)(?<!=\s)\bq3c_radial_query", self.conditions):
            raise QueryError("Incorrect syntax near q3c_radial_query: expected a comparison")

    def _comparisons(self):
        """Column, sign and number of the conditions other than on the position."""
        limits = re.findall(_LIMIT, self.conditions)
        for name, low, high in re.findall(_BETWEEN.format(r"(\w+)"), self.conditions):
            limits += [(name, ">=", low), (name, "<=", high)]
        return [(name, _COMPARE[sign], float(value)) for name, sign, value in limits
                if name not in ("ra", "dec")]

    def _boxes(self):
        boxes = [(ra1, ra2, dec1, dec2) for ra1, dec1, ra2, dec2 in self._numbers(_RECTANGLE)]
        ra = self._numbers(_BETWEEN.format("ra"))
        ra += [(low - 360, high) for low, high in self._numbers(_WRAPPED)]
        dec = self._numbers(_BETWEEN.format("dec"))
        return boxes + [(*one, *other) for one, other in zip(ra, dec)]

    def _numbers(self, pattern):
        return [tuple(map(float, one)) for one in re.findall(pattern, self.conditions)]


def _is_one_of(value, texts):
    return value.strip() in texts


def row_of(galaxy, survey):
    """What a survey's catalog says about a galaxy: lower-case column name to value."""
    ra, dec, r90 = galaxy.ra, galaxy.dec, galaxy.r90
    r50 = r90 / _R90_PER_R50
    number = round(ra * 1000) * 181_000 + round((dec + 90) * 1000)
    row = {"ra": ra, "dec": dec}
    if survey == "sdss":
        row |= {"objid": 1237650000000000000 + number, "type": 3, "mode": 1, "clean": 1,
                "petror90_r": r90, "petror50_r": r50, "petrorad_r": 1.4 * r90,
                "expab_r": 0.6, "expphi_r": 30.0}
        return row | _magnitudes(galaxy, "ugriz", "petromag_", "modelmag_", "psfmag_", "dered_")
    if survey == "legacy":
        row |= {"ls_id": 10_000_000_000_000_000 + number, "brickid": number % 662_174,
                "objid": number % 10_000, "type": "EXP", "ref_cat": "",
                "sersic": 1.0, "shape_r": r50,
                "shape_e1": 0.0, "shape_e2": 0.0, "maskbits": 0, "brick_primary": 1,
                "flux_r": 10 ** ((22.5 - galaxy.light.mag) / 2.5)}
        return row | _magnitudes(galaxy, "griz", "mag_", "dered_mag_")
    row |= {"coadd_object_id": number, "extended_class_coadd": 3, "class_star_r": 0.03,
            "flags_r": 0, "imaflags_iso_r": 0, "kron_radius": 3.5,
            "a_image": r50 / _DES_PIXEL, "b_image": 0.6 * r50 / _DES_PIXEL, "theta_j2000": 30.0}
    row |= {f"flux_radius_{band}": r50 / _DES_PIXEL for band in "grizy"}
    return row | _magnitudes(galaxy, "grizy", "mag_auto_")


def _magnitudes(galaxy, bands, *prefixes):
    """Columns of magnitudes and their errors."""
    row = {}
    for prefix in prefixes:
        for band in bands:
            row[prefix + band] = galaxy.light.mag + _COLORS[band]
            if "mag_" in prefix:
                row[prefix.replace("mag_", "magerr_") + band] = 0.01
    return row


def _column(expression):
    """Read ``table.column AS name``, also inside a function: the name, the lower-case column."""
    match = re.fullmatch(r".*?(\w+)\)?(?:\s+as\s+(\w+))?", expression.strip(), re.I | re.S)
    if match is None:
        raise QueryError(f"Incorrect syntax near '{expression.strip()}'.")
    return match[2] or match[1], match[1].lower()
