"""Tables for `fuzz.py`: damaged files of every format, and cells that nobody expects."""
import csv
import io
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits, votable
from astropy.table import Column, MaskedColumn, Table
from astropy.time import Time
from fuzz_images import damage

from astromorph.errors import ArgumentError, AstromorphWarning, FetchError
from astromorph.flags import MorphFlag
from astromorph.galaxies.given import GivenImages
from astromorph.images import CutoutError
from astromorph.images.bands import band_names, parse_band
from astromorph.images.flux_units import to_nanomaggies
from astromorph.learning.labels import make_labels, read_labels
from astromorph.learning.matching import identifiers
from astromorph.names import as_names, file_stem
from astromorph.questions import QUESTIONS
from astromorph.services.base import CutoutRequest
from astromorph.services.local import LocalFolder
from astromorph.surveys import SURVEYS
from astromorph.tables import FORMATS, check_columns, read_table, write_table
from astromorph.tables.positions import angle_unit, find_positions, find_sizes

ROWS, CELLS = 30, 10
WRITTEN = 0.15  # of the tables, in one format each
WORDS = ("", " ", "null", "NULL", "nan", "-9999", "-9999.0", "1e400", "-inf", "inf", "--",
         "N/A", "1,5", "10h", "10:61:00", "10:20", "+-3", "1_000", "0x10", "True", "\u221e",
         "\uff11\uff12", "1.2.3", "\t", '"', "'", "\\", "1e5", "0010", "9" * 40, "\u00a01",
         "12d", "12\u00b0", "12 34 56", "12h34m56s", "24:00:00", "-00:00:01", "-1", "yes", "no",
         "unknown", "maybe", "0.5", "2", "..", "../x", "a/b", "a\\b", "a\x1bb", "x" * 3000,
         "\ufffd", "id", "#", "#1", "1;2", "5 arcsec", "[3]", "1e-5", "-0", "00", "1.0", "1e0",
         ".5", "5.", "b'x'", "{}", "\ud7ff", "9007199254740993", "18446744073709551616",
         "-9223372036854775809", "1e15", "1d5", "NaN", "masked", "None", "a\rb", "a\nb",
         "a\x0cb", "\x85", "*", "?", "[a]", "{name}")
UNITS = ("deg", "ARCSEC", "arcsecs", "[deg]", "RADIANS", "h:m:s", "'arcsec'", "nanomaggy",
         "nmgy/pix", "MJy/sr", "10**-9 maggies", "mag", "e-/s", "Jy/beam", "erg/s/cm2/Hz", "per sr",
         "arcsec**-2", "10^-29 W/m2/Hz", "counts", "1e400 Jy", "0 Jy", "-1 nmgy", "nmgy**2",
         "sqrt(nmgy)")
BANDS = ("g", "SDSS g", "HSC-R2", "des_z", "r DECam SDSS c0002", "grz", "g,r", "Y", "sky", "g r z")
TEXT = "0123456789 .,:;+-eE_hdms'\"#/\\()[]*^xnulNaA\u00b0\u00b5\u00e9\t"
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
SUFFIX = {"csv": ".csv", "fits": ".fits", "votable": ".vot", "ecsv": ".ecsv", "parquet": ".parquet"}


@dataclass
class Made:
    """A table: its format, the bytes of its file, or what else it is."""

    format: str
    source: object

    def write(self, path):
        whole = isinstance(self.source, bytes)
        path.with_suffix(SUFFIX.get(self.format.split()[0], ".txt")).write_bytes(
            self.source if whole else repr(self.source).encode("utf-8", "backslashreplace"))


class Tables:
    """Input n of a seed, and its outcome: a file, a table in memory, or ten cells."""

    megabytes = 0

    def __init__(self, seed, data=None):
        warnings.simplefilter("ignore")
        self.seed, self.folder = seed, tempfile.TemporaryDirectory()
        self.originals = originals(np.random.default_rng([seed, 7]), Path(self.folder.name))
        for form, data in self.originals:
            used(self.read(form, data), np.random.default_rng(1), None)

    def make(self, n):
        rng = np.random.default_rng([self.seed, 2, n])
        if n % 7 < 2:
            kind = rng.choice(list(CELL_KINDS), p=SHARES)
            return Made(f"cells {kind}", (n, CELL_KINDS[kind][0](rng)))
        if rng.random() < 0.2:
            return Made("memory", odd_table(rng))
        form, data = self.originals[rng.integers(len(self.originals))]
        for _ in range(rng.choice([1, 1, 2, 5])):
            data = hurt(rng, form, data)
        return Made(form, data)

    def read(self, form, data):
        path = Path(self.folder.name, "table" + SUFFIX[form.split()[0]])
        path.write_bytes(data)
        return read_table(path)

    def judge(self, each):
        try:
            if each.format.startswith("cells"):
                n, cells = each.source
                fault = CELL_KINDS[each.format[6:]][1](cells, self.read)
                return "judged", CELLS, fault
            table = each.source if each.format == "memory" else self.read(each.format, each.source)
        except (ArgumentError, FileNotFoundError, AstromorphWarning) as error:
            return "refused", 1, too_long(error)
        except Exception as error:
            return "exception", 1, f"reading: {type(error).__name__}: {error!s:.300}"
        rng = np.random.default_rng([self.seed, 3, len(table)])
        return used(table, rng, Path(self.folder.name))


def too_long(error):
    text = str(error)
    return f"an error of {len(text)} letters: {text[:200]}" if len(text) > 1500 else None


def used(table, rng, folder):
    """Whatever is done with a table: only the documented errors may come."""
    refused = []
    for use in (find_positions, find_sizes, identifiers, make_labels, names_of):
        try:
            fault = FAULTS.get(use, lambda found: None)(use(table))
        except ArgumentError:
            refused.append(use.__name__)
            continue
        except Exception as error:
            return "exception", 1, f"{use.__name__}: {type(error).__name__}: {error!s:.300}"
        if fault:
            return "odd", 1, f"{use.__name__}: {fault}"
    fault = written(table, rng, folder) if folder and rng.random() < WRITTEN else None
    return "used" if len(refused) < 4 else "of no use", 1, fault


def names_of(table):
    return [as_names(column) for column in table.itercols()
            if isinstance(column, Column) and column.ndim == 1]


def outside(found):
    ra, dec = found
    good = np.isfinite(ra)
    if ra.shape != dec.shape or (np.isfinite(dec) != good).any():
        return "positions half known"
    inside = (ra[good] >= 0) & (ra[good] <= 360) & (np.abs(dec[good]) <= 90)
    return None if inside.all() else "positions outside of the sphere"


def not_positive(found):
    return "sizes that are not positive" if found is not None and (
        ~np.isnan(found) & ~((found > 0) & np.isfinite(found))).any() else None


def no_labels(found):
    values = found.values
    return None if np.isin(values[~np.isnan(values)], (0, 1)).all() else "labels other than 0, 1"


FAULTS = {find_positions: outside, find_sizes: not_positive, make_labels: no_labels}


def written(table, rng, folder):
    """What is accepted before the run is written after it, and read again."""
    name = str(rng.choice(list(SUFFIX)))
    try:
        check_columns(table, name)
    except ValueError as error:
        return None if isinstance(error, (ArgumentError, UnicodeError)) else (
            f"check_columns {name}: {type(error).__name__}: {error!s:.200}")
    except Exception as error:
        return f"check_columns {name}: {type(error).__name__}: {error!s:.200}"
    path = folder / f"written{SUFFIX[name]}"
    try:
        write_table(table, path, overwrite=True)
        back = read_table(path)
    except Exception as error:
        return f"written as {name}: {type(error).__name__}: {error!s:.200}"
    same = len(back) == len(table) or name == "csv" and len(back) < len(table)  # the last are empty
    return None if same else f"{name}: {len(back)} rows of {len(table)}"


def plain_table(rng):
    ra, dec = rng.uniform(0, 360, ROWS).round(6), rng.uniform(-90, 90, ROWS).round(6)
    table = Table({"objid": rng.integers(10**17, 10**18, ROWS), "ra": ra * u.deg,
                   "dec": dec * u.deg,
                   "petroR90_r": rng.uniform(1, 30, ROWS).round(3) * u.arcsec,
                   "name": [f"NGC {n}" for n in rng.integers(1, 8000, ROWS)],
                   "file": [f"cutouts/{n}.jpg" for n in range(ROWS)],
                   "disk": rng.integers(0, 2, ROWS), "bar": rng.integers(0, 2, ROWS),
                   "z": rng.uniform(0, 0.2, ROWS).astype("f4"), "good": rng.random(ROWS) < 0.5})
    table["field"] = MaskedColumn(rng.integers(0, 999, ROWS).astype("i2"),
                                  mask=rng.random(ROWS) < 0.2)
    table["z"].description, table["ra"].meta["ucd"] = "Redshift", "pos.eq.ra;meta.main"
    return Table(table)


def originals(rng, folder):
    """(format, bytes) of undamaged files."""
    table = plain_table(rng)
    made = []
    for name, suffix in SUFFIX.items():
        kept = table if name != "csv" else table[[n for n in table.colnames if n != "good"]]
        write_table(kept, folder / f"t{suffix}", overwrite=True)
        made.append((name, (folder / f"t{suffix}").read_bytes()))
    csv_text = dict(made)["csv"]
    made += [("csv SkyServer", b"#Table1\n" + csv_text), ("csv BOM", b"\xef\xbb\xbf" + csv_text)]
    head = fits.BinTableHDU(Table({"Field Header Card": ["SIMPLE  = T"]}), name="LDAC_IMHEAD")
    body = fits.BinTableHDU(Table({"ALPHA_J2000": table["ra"], "DELTA_J2000": table["dec"],
                                   "name": table["name"]}), name="LDAC_OBJECTS")
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), head, body]).writeto(file)
    made.append(("fits LDAC", file.getvalue()))
    for form in ("binary", "binary2"):
        file = io.BytesIO()
        votable.from_table(table[["ra", "dec", "name", "z"]]).to_xml(file, tabledata_format=form)
        made.append((f"votable {form}", file.getvalue()))
    import pyarrow
    from pyarrow import parquet

    frame = {"ra": np.asarray(table["ra"]), "dec": np.asarray(table["dec"]),
             "name": list(table["name"]), "image": [b"\xff\xd8" + bytes(9)] * ROWS,
             "tags": [["a", "b"]] * ROWS}
    parquet.write_table(pyarrow.table(frame), folder / "p.parquet")
    return made + [("parquet plain", (folder / "p.parquet").read_bytes())]


def hurt(rng, form, data):
    """One mutation of the file of a table: of its bytes, or of a word of its text."""
    if form.split()[0] in ("csv", "ecsv", "votable") and rng.random() < 0.6:
        words = list(re.finditer(rb"[^\s,<>\"=]+", data))
        if words:
            word = words[rng.integers(len(words))]
            new = WORDS[rng.integers(len(WORDS))] if rng.random() < 0.7 else str(
                rng.choice(["int", "double", "*", "long", "2x*", "99999999999", "unicodeChar"]))
            return data[:word.start()] + new.encode() + data[word.end():]
    return damage(rng, "fits" if form.startswith("fits") else "bytes", data)


def odd_table(rng):
    """A table in memory with columns of odd types and values."""
    table = plain_table(rng)
    for _ in range(rng.integers(1, 5)):
        name = str(rng.choice(table.colnames + ["new", "ra2", "", "a b", "P_disk", "RA", "\u00e9"]))
        try:
            table[name] = odd_column(rng, table)
        except (ValueError, TypeError):
            continue
    return table[rng.permutation(ROWS)[:rng.choice([0, 1, ROWS])]]


def odd_column(rng, table):
    numbers = rng.normal(0, 1, ROWS)
    words = [WORDS[k] for k in rng.integers(len(WORDS), size=ROWS)]
    mask = rng.random(ROWS) < rng.choice([0, 0.3, 1])
    kinds = ("f2", "f4", ">f8", "g", "u8", "i1", "u2", "?", "c8", "M8[s]", "m8[s]", "i8")
    values = [numbers.astype(kinds[rng.integers(len(kinds))]) if rng.random() < 0.9 else numbers,
              np.array(words), np.array(words, object), np.array([w.encode() for w in words]),
              np.array([None, 1, "x", 2.5, b"\xff", [1], {"a": 1}, np.nan] * 4, object)[:ROWS],
              rng.normal(0, 1, (ROWS, 2)), rng.normal(0, 1, (ROWS, 2, 2)), np.array([words] * 2).T,
              np.array([2**64 - 1, 2**63, 0] * 10, np.uint64), numbers * np.inf,
              np.array([np.iinfo("i8").min, np.iinfo("i8").max, 0] * 10)]
    value = values[rng.integers(len(values))]
    way = rng.integers(5)
    if way == 0:
        return MaskedColumn(value, mask=np.broadcast_to(mask.reshape(-1, *[1] * (value.ndim - 1)),
                                                        value.shape))
    if way == 1:
        return SkyCoord(np.abs(numbers), numbers, unit="deg", frame=str(rng.choice(
            ["icrs", "galactic", "fk4"])))
    if way == 2:
        return Time(58000 + numbers, format="mjd")
    if way == 3 and value.dtype.kind == "f":
        return value * u.Unit(str(rng.choice(["arcsec", "km", "", "rad", "hourangle"])))
    return Column(value, unit=rng.choice([None, "deg", "arcsec", "bogus", "h:m:s"]))


def some_words(rng, good):
    """Cells of a column: hostile words, and good ones with other letters, in ten rows."""
    cells = [str(value) for value in good]
    rows = rng.permutation(len(cells))[:CELLS]
    for row in rows:
        if rng.random() < 0.5:
            cells[row] = WORDS[rng.integers(len(WORDS))]
            continue
        text = list(cells[row])
        for _ in range(rng.integers(1, 4)):
            at, letter = rng.integers(len(text) + 1), TEXT[rng.integers(len(TEXT))]
            text[at:at + int(rng.integers(2))] = letter
        cells[row] = "".join(text)
    return cells, sorted(map(int, rows)), bool(rng.integers(2)), [str(value) for value in good]


def decimals(rng):
    return some_words(rng, rng.uniform(0, 89, ROWS).round(5))


def sexagesimal(rng):
    h, m, s = rng.integers(0, 24, ROWS), rng.integers(0, 60, ROWS), rng.uniform(0, 59, ROWS)
    return some_words(rng, [f"{a:02d}:{b:02d}:{c:05.2f}" for a, b, c in zip(h, m, s)])


def ids(rng):
    return some_words(rng, [str(n) for n in rng.integers(10**17, 10**18, ROWS)])


def zeros_and_ones(rng):
    return some_words(rng, rng.integers(0, 2, ROWS))


def units(rng):
    return some_words(rng, [UNITS[k] for k in rng.integers(len(UNITS), size=CELLS)])


def bands(rng):
    return some_words(rng, [BANDS[k] for k in rng.integers(len(BANDS), size=CELLS)])


def as_table(column, cells, in_file, read, **others):
    """A table of text cells, by way of a CSV file or at once."""
    if not in_file:
        return Table({column: cells, **others})
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([column, *others])
    writer.writerows(zip(cells, *others.values()))
    return read("csv", file.getvalue().encode())


def positions_hold(made, read):
    cells, rows, in_file, good = made
    dec = np.arange(len(cells)) / 2
    ra = find_positions(as_table("ra", cells, in_file, read, dec=dec))[0]
    before = find_positions(Table({"ra": good, "dec": dec}))[0]
    return others_moved(ra, before, rows) or outside((ra, np.where(np.isnan(ra), np.nan, dec))) or \
        misread(cells, rows, ra)


def misread(cells, rows, values):
    """A number that is read from a cell that holds none, or another one."""
    for row in rows:
        text = cells[row].strip(" \t\"'")
        if "_" in text and not np.isnan(values[row]):
            return f"{text!r} is read as {values[row]}"
        if NUMBER.fullmatch(text) and not np.isnan(values[row]) and not np.isclose(
                values[row] % 360, float(text) % 360):
            return f"{text!r} is read as {values[row]}"
    return None


def others_moved(found, before, rows):
    """Whether a row moved of which no cell was touched."""
    if found.shape != before.shape:
        return f"{found.shape[0]} rows in place of {before.shape[0]}"
    kept = np.setdiff1d(np.arange(len(before)), rows)
    return None if np.array_equal(found[kept], before[kept], equal_nan=True) else "other rows moved"


def sizes_hold(made, read):
    cells, rows, in_file, good = made
    table = as_table("petroR90_r", cells, in_file, read, z=np.arange(len(cells)))
    found = find_sizes(table)
    before = np.array([float(text) if float(text) > 0 else np.nan for text in good])
    return others_moved(found, before, rows) or not_positive(found) or misread(cells, rows, found)


def ids_hold(made, read):
    cells, rows, _, _ = made
    table = as_table("objid", cells, True, read, z=np.arange(len(cells)))
    for cell, name in zip(cells, as_names(table["objid"]), strict=True):
        text = cell.strip()
        if name != text and not (name is None and text.lower() in ("", "null")):
            return f"the identifier {cell!r} became {name!r}"
        stem = file_stem(text)
        if set(stem) & set("/\\\0\n") or len(stem) != len(text):
            return f"the file of {text!r} is {stem!r}"
    return None


def labels_hold(made, read):
    cells, rows, in_file, good = made
    try:
        labels = make_labels(as_table("disk", cells, in_file, read, z=np.arange(len(cells))))
    except ArgumentError as error:
        return too_long(error)
    found = labels.select(["disk"])[:, 0]
    return others_moved(found, np.array(good, float), rows) or no_labels(labels)


def joins_hold(made, read):
    """Labels go to the galaxies of their name, whatever the other names are."""
    cells, rows, in_file, good = made
    answers = np.arange(len(cells)) % 2.0
    table = as_table("name", cells, in_file, read, disk=answers)
    found = read_labels(Table({"name": good}), table, QUESTIONS[:1])[:, 0]
    kept = np.setdiff1d(np.arange(len(good)), rows)
    wrong = ~np.isin(found, (0, 1)) & ~np.isnan(found)
    moved = wrong.any() or (found[kept] != answers[kept]).any()
    return "labels of other galaxies" if moved else None


def files_hold(made, read):
    """Names of files that are not there, or lead elsewhere, are flags; no other's file is taken."""
    cells, rows, in_file, good = made
    source = GivenImages(Table({"file": cells}), "file")
    for cell, item in zip(cells, source, strict=True):
        loaded = source.load(item, 32, 4.24)
        if loaded.pixels is not None or not loaded.flag & MorphFlag.UNCLASSIFIED:
            return f"the file {cell!r} has the flag {loaded.flag!r}"
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer, "images")
        folder.mkdir()
        for name in (*good, "1.5", "10.5"):
            Path(folder, f"{name}.jpg").write_bytes(b"of " + name.encode())
        Path(outer, "x.jpg").write_bytes(b"of another")
        service = LocalFolder(folder)
        for cell in cells:
            request = CutoutRequest(1.0, 2.0, 30.0, 64, SURVEYS["sdss"], ("g", "r", "i"), cell)
            try:
                service(request)
            except FetchError as error:
                if error.flag == MorphFlag.UNREADABLE and cell not in (*good, "1.5", "10.5") or (
                        error.flag not in (MorphFlag.UNREADABLE, MorphFlag.MISSING_FILE)):
                    return f"the name {cell!r} is given another's file: {error}"
    return None


def units_hold(made, read):
    planes = {"r": np.random.default_rng(0).normal(0.1, 0.02, (20, 20)).astype("f4")}
    for cell in made[0]:
        unit = angle_unit(cell)
        if unit is not None and not isinstance(unit, u.UnitBase):
            return f"{cell!r} is the unit of angle {unit!r}"
        found, known = to_nanomaggies(planes, [(None, {"BUNIT": cell})], SURVEYS["sdss"], 0.4)
        if known and not (np.nanmedian(found["r"]) > 0 or np.isnan(found["r"]).all()):
            return f"{cell!r} is a unit of flux that is not positive"
        find_with(cell)
    return None


def find_with(unit):
    """A column of sizes of a unit, however it is spelled."""
    column = Column([1.0, 2.0])
    try:
        column.unit = unit
        find_sizes(Table({"petroR90_r": column, "x": [1, 2]}))
    except (ArgumentError, ValueError, TypeError) as error:
        if not isinstance(error, ArgumentError) and column.unit is not None:
            raise


def bands_hold(made, read):
    for cell in made[0]:
        band = parse_band(cell)
        if band is not None and band not in "ugrizy":
            return f"{cell!r} is the band {band!r}"
        try:
            names = band_names(cell)
        except ArgumentError:
            continue
        except CutoutError as error:
            return f"{cell!r}: {error}"
        if len(set(names)) < len(names) or not set(names) <= set("ugrizy"):
            return f"{cell!r} are the bands {names}"
    return None


CELL_KINDS = {"decimal": (decimals, positions_hold), "sexagesimal": (sexagesimal, positions_hold),
              "sizes": (decimals, sizes_hold), "ids": (ids, ids_hold),
              "labels": (zeros_and_ones, labels_hold), "joins": (ids, joins_hold),
              "files": (ids, files_hold), "units": (units, units_hold),
              "bands": (bands, bands_hold)}
SHARES = [0.02 if kind == "units" else 0.98 / (len(CELL_KINDS) - 1) for kind in CELL_KINDS]
assert set(SUFFIX) < set(FORMATS)
