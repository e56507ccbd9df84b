import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Latitude, Longitude, SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from astromorph.tables.positions import find_positions, find_sizes

RA, DEC = [10.5, 359.25], [-45.0, 0.5]
EXPECTED = np.array([RA, DEC])


def unit(name):
    return u.Unit(name, parse_strict="silent")


def with_ucds(ucds, names):
    return Table([Column(values, name, meta={"ucd": ucd})
                  for values, name, ucd in zip((RA, DEC), names, ucds)])


@pytest.mark.parametrize("names", [
    "ra dec", "RA DEC", "Ra Dec", "RA_ICRS DE_ICRS", "RA_ICRS DEC_ICRS", "RAJ2000 DEJ2000",
    "_RAJ2000 _DEJ2000", "_RA.icrs _DE.icrs", "RAdeg DEdeg", "ra_deg dec_deg",
    "ALPHA_J2000 DELTA_J2000", "ALPHAWIN_J2000 DELTAWIN_J2000", "right_ascension declination",
    "Right Ascension Declination", "raMean decMean", "RA2000 DEC2000", "TARGET_RA TARGET_DEC",
    "PLUG_RA PLUG_DEC", "s_ra s_dec", "objra objdec", "coord_ra coord_dec", "RA(deg) DEC[deg]"])
@pytest.mark.parametrize("kind", [Table, QTable])
def test_spellings(names, kind):
    ra, dec = names.rsplit(" ", 1)
    table = kind({"name": ["a", "b"], "dec_err": [9.0, 9], ra: RA, "ra_err": [9.0, 9], dec: DEC})
    np.testing.assert_allclose(find_positions(table), EXPECTED)
    table[ra], table[dec] = RA * u.deg, DEC * u.deg
    np.testing.assert_allclose(find_positions(table), EXPECTED)


@pytest.mark.parametrize(("ra", "dec"), [
    (RA * u.deg, DEC * u.deg), (np.radians(RA) * u.rad, np.radians(DEC) * u.rad),
    (np.divide(RA, 15) * u.hourangle, DEC * u.deg), (np.divide(RA, 15) * u.h, DEC * u.deg),
    (Longitude(RA, "deg"), Latitude(DEC, "deg")), (Masked(RA) * u.deg, Masked(DEC) * u.deg),
    (Column(RA, unit=unit("degrees")), Column(DEC, unit=unit("DEG"))),
    (Column(RA, dtype=object), Column(DEC, dtype=object)), ([10.5, -0.75], DEC),
    (["00:42:00", "23h57m00s"], ["-45:00:00", "+00 30 00.0"]),
    ([b"00 42 00.00", b"23:57"], [b"-45d", b"0.5"]), (["10.5", "359.25"], ["-45.", "5e-1"]),
    (Column(["0:42:0", "23:57:0"], unit=unit("h:m:s")), Column(DEC, unit="deg")),
    (Column(["10:30:0", "359:14:60"], unit="deg"), DEC),
], ids=str)
def test_units_and_text(ra, dec):
    np.testing.assert_allclose(find_positions(Table({"ra": ra, "dec": dec})), EXPECTED, atol=1e-9)


@pytest.mark.parametrize(("spelling", "meant"), [
    (spelling, unit) for unit, spellings in {
        "arcsec": ("ARCSEC", "arcsecs", "arcsecond", "[arcsec]", "Arcseconds"),
        "rad": ("RADIANS", "radian", "Rad"), "deg": ("DEGREE", "[deg]", "degs", "'deg'"),
        "arcmin": ("ARCMIN", "arcminutes")}.items() for spelling in spellings])
def test_spellings_of_units(spelling, meant):
    """Case, plural and brackets change nothing, for positions as for sizes."""
    factor = u.Unit(meant).to(u.deg)
    table = Table({"ra": Column([0.3], unit=unit(spelling)),
                   "dec": Column([0.2], unit=unit(spelling)),
                   "petroR90_r": Column([6.0], unit=unit(spelling))})
    np.testing.assert_allclose(find_positions(table), [[0.3 * factor], [0.2 * factor]])
    np.testing.assert_allclose(find_sizes(table), 6 * factor * 3600)


@pytest.mark.parametrize(("hours", "degrees"), [
    ("h:m:s", "d:m:s"), ('"h:m:s"', '"d:m:s"'), ("hms", "dms"), ("HH:MM:SS.S", "DD:MM:SS")])
def test_sexagesimal_units(hours, degrees):
    table = Table([Column(["12 30 45.2", "00 00 01"], "RAJ2000", unit=unit(hours)),
                   Column(["-00 20 10", "+89 59 60"], "DEJ2000", unit=unit(degrees))])
    np.testing.assert_allclose(find_positions(table),
                               [[187.68833333, 15 / 3600], [-0.33611111, 90]])


def test_a_day_is_no_degree():
    with pytest.raises(ValueError, match="unit d"):
        find_positions(QTable({"ra": [1] * u.day, "dec": [1] * u.deg}))


def test_cells_that_are_no_numbers_cost_their_rows():
    table = Table({"ra": ["10", "null", "N/A"], "dec": ["1", "2", "x"],
                   "petroR90_r": ["6.1", "null", "?"]})
    np.testing.assert_array_equal(find_positions(table)[0], [10, np.nan, np.nan])
    np.testing.assert_array_equal(find_sizes(table), [6.1, np.nan, np.nan])


@pytest.mark.parametrize("frame", ["icrs", "fk5", "fk4", "galactic", "barycentrictrueecliptic"])
def test_skycoord_of_any_frame(frame):
    coordinates = SkyCoord(RA, DEC, unit="deg").transform_to(frame)
    for data in (coordinates, Table({"id": [1, 2], "place": coordinates, "ra": [0, 0]})):
        np.testing.assert_allclose(find_positions(data), EXPECTED, atol=1e-9)
    np.testing.assert_allclose(find_positions(coordinates[0]), EXPECTED[:, :1], atol=1e-9)


def test_bad_rows_are_nan_in_both():
    table = Table({"ra": MaskedColumn([1.0, 2, 3, np.nan, 361, -181, np.inf, 4],
                                      mask=[1, 0, 0, 0, 0, 0, 0, 0]),
                   "dec": [1.0, 90.5, np.nan, 1, 1, 1, 1, 5]})
    np.testing.assert_array_equal(find_positions(table), [[np.nan] * 7 + [4], [np.nan] * 7 + [5]])
    text = Table({"ra": [None, "", "--", "25:00:00", "1:61:0", "NGC 1", "1 km", "1:0:0"],
                  "dec": ["1"] * 8})
    np.testing.assert_allclose(find_positions(text), [[np.nan] * 7 + [15], [np.nan] * 7 + [1]])
    ra = Masked([1.0, 2, 3], mask=[True, False, False]) * u.deg
    masked = SkyCoord(ra, [1, np.nan, 3] * u.deg)
    for data in (masked, masked.galactic):
        np.testing.assert_allclose(find_positions(data), [[np.nan, np.nan, 3]] * 2)
    assert np.isnan(find_positions(masked[0])).all()


def test_no_rows():
    for table in (Table({"ra": [], "dec": []}), Table({"ra": [1.0], "dec": [1.0]})[:0]):
        assert [one.shape for one in find_positions(table)] == [(0,), (0,)]


@pytest.mark.parametrize("ucds", [("pos.eq.ra;meta.main", "pos.eq.dec;meta.main"),
                                  ("pos.eq.ra", "pos.eq.dec"),
                                  ("POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN")])
def test_ucds(ucds):
    table = with_ucds(ucds, ["lon", "lat"])
    table["error"] = Column([0.1, 0.1], meta={"ucd": "stat.error;pos.eq.ra"})
    np.testing.assert_allclose(find_positions(table), EXPECTED)
    for name, ucd in zip(("lon", "lat"), ucds):
        table[name].meta, table[name].description = None, f"Of the fit ({name}) {ucd}"
    np.testing.assert_allclose(find_positions(table), EXPECTED)


def test_which_of_several_is_taken():
    table = with_ucds(("pos.eq.ra;meta.main", "pos.eq.dec;meta.main"), ["RA_ICRS", "DE_ICRS"])
    table["_RAJ2000"] = table["_DEJ2000"] = table["TARGET_RA"] = table["TARGET_DEC"] = [1.0, 1.0]
    np.testing.assert_allclose(find_positions(table), EXPECTED)
    table["RA"], table["DEC"] = [2.0, 2.0], [2.0, 2.0]
    assert find_positions(table)[0][0] == 2
    table["ra"], table["dec"] = [3.0, 3.0], [3.0, 3.0]
    assert find_positions(table)[0][0] == 3
    assert find_positions(table, ra="TARGET_RA", dec="TARGET_DEC")[0][0] == 1
    table["place"] = SkyCoord([4, 4], [4, 4], unit="deg")
    assert find_positions(table)[0][0] == pytest.approx(4)
    assert find_positions(table, ra="RA", dec="DEC")[0][0] == 2
    vizier = Table({"RAJ2000": ["00 42 00", "23 57 00"], "DEJ2000": ["-45 00 00", "+00 30 00"],
                    "_RAJ2000": [1.0, 1], "_DEJ2000": [1.0, 1]})
    assert find_positions(vizier)[0][0] == 1


def test_undecided_lists_what_was_found():
    table = Table({name: [1.0] for name in ("RAJ2000", "DEJ2000", "TARGET_RA", "TARGET_DEC")})
    with pytest.raises(ValueError, match="RAJ2000 and DEJ2000, TARGET_RA and TARGET_DEC"):
        find_positions(table)
    table["a"] = table["b"] = SkyCoord([1], [1], unit="deg")
    with pytest.raises(ValueError, match="several positions, a, b, RAJ2000 and"):
        find_positions(table)
    assert find_positions(table, ra="b")[0] == pytest.approx(1)


@pytest.mark.parametrize(("data", "options", "message"), [
    (Table({"x": [1], "RA": [1]}), {}, r"ALPHA_J2000.*no positions in the columns \['x', 'RA'\]"),
    (Table({"ra": [1]}), {"ra": "ra"}, "names of two columns.*Received ra='ra', dec=None"),
    (Table({"ra": [1]}), {"ra": "ra", "dec": "d"},
     r"dec: expected the name of a column.*\['ra'\]. Received 'd'"),
    (QTable({"ra": [1] * u.km, "dec": [1] * u.deg}), {}, "ra: expected degrees.*unit km"),
    (QTable({"ra": [1] * u.deg, "dec": [1] * u.h}), {}, "dec: expected degrees.*unit h"),
    (Table({"ra": [[1, 2]], "dec": [1]}), {}, r"ra: expected one angle per row.*\(1, 2\)"),
    (SkyCoord([[1]], [[1]], unit="deg"), {}, r"data: expected one position or a list.*\(1, 1\)"),
    (SkyCoord(1, 2, unit="deg", frame="altaz"), {}, "transformed to ICRS. Received altaz"),
])
def test_wrong_arguments(data, options, message):
    with pytest.raises(ValueError, match=message):
        find_positions(data, **options)


def test_parts_of_positions_say_how_to_join_them():
    names = ["RAh", "RAm", "RAs", "DE-", "DEd", "DEm", "DEs"]
    with pytest.raises(ValueError, match="Join RAh, RAm, ... to one column of text, such as '03"):
        find_positions(Table({name: [1] for name in names}))


def test_wrong_types():
    with pytest.raises(TypeError, match="expected a SkyCoord or a Table.*Received list"):
        find_positions([1, 2])


@pytest.mark.parametrize("name", ["petroR90_r", "PETROR90_R", "petroR90", "PETRO_TH90", "PetroTh90",
                                  "petro_r90", "r90_arcsec", "R90_ARCSEC"])
def test_sizes_in_arcseconds_by_definition(name):
    table = Table({"petroR50_r": [1.0] * 4, "shape_r": [1.0] * 4, name: [2.5, -9999, 0, np.inf]})
    np.testing.assert_array_equal(find_sizes(table), [2.5, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(find_sizes(table, r90=name), find_sizes(table))
    table[name].unit = "arcmin"
    assert find_sizes(table)[0] == 150
    table[name].unit = "pix"
    with pytest.raises(ValueError, match="r90: expected an angle.*unit pix"):
        find_sizes(table)


def test_which_size_is_taken():
    table = Table({"petroR90_g": [1.0], "petroR90_i": [2.0], "petroR90Err_r": [9.0]})
    assert find_sizes(table) == 2
    table["R90"] = Column([3.0], unit="arcsec")
    assert find_sizes(table) == 3
    table["petroR90_r"] = [4.0]
    assert find_sizes(table) == 4
    assert find_sizes(table, r90="R90") == 3


def test_half_light_radii_are_no_r90():
    table = Table({name: [1.0] for name in ("petroR50_r", "shape_r", "PETRO_TH50", "flux_radius")})
    assert find_sizes(table) is None
    assert find_sizes(SkyCoord(RA, DEC, unit="deg")) is None
    with pytest.raises(ValueError, match="r90: expected an angle.*shape_r.*unit = 'arcsec'"):
        find_sizes(table, r90="shape_r")


@pytest.mark.parametrize(("r90", "expected"), [
    (5 * u.arcsec, [5, 5]), ([1, np.nan] * u.arcmin, [60, np.nan]),
    (MaskedColumn([1, 2], mask=[0, 1], unit="arcsec"), [1, np.nan])], ids=str)
def test_explicit_sizes(r90, expected):
    for data in (Table({"petroR90_r": [7.0, 7]}), SkyCoord(RA, DEC, unit="deg"), ["a", "b"]):
        sizes = find_sizes(data, r90=r90)
        np.testing.assert_array_equal(sizes, expected)
        assert sizes.dtype == float


@pytest.mark.parametrize(("r90", "message"), [
    (5, r"the number 5\..*r90=5 \* u.arcsec"),
    ([1, 2, 3] * u.arcsec, r"or 2, one per galaxy.*\(3,\)"),
    ("size", "name of a column.*Received 'size'"),
    ("R90", r"Received unit None.*table\['R90'\].unit = 'arcsec'"),
    (None, r"Received unit None.*table\['R90'\].unit = 'arcsec'"), (1 * u.kpc, "unit kpc")])
def test_wrong_sizes(r90, message):
    with pytest.raises(ValueError, match=f"^r90: .*{message}"):
        find_sizes(Table({"R90": [1.0, 2.0]}), r90=r90)


def test_one_position_has_one_size():
    assert find_sizes(SkyCoord(1, 2, unit="deg"), r90=3 * u.arcsec).tolist() == [3]


def test_texts_of_another_sense():
    """Hours are no declination, west is no right ascension, and one sign is enough."""
    table = Table({"ra": ["10 30 00", "10 30 00 W", "10 30 00", "10 30 00", "10 30 00"],
                   "dec": ["-2 30 00", "-2 30 00", "5h", "-2:30:00S", "2:30:00S"]})
    ra, dec = find_positions(table)
    np.testing.assert_allclose(ra, [157.5, np.nan, np.nan, np.nan, 157.5])
    np.testing.assert_allclose(dec, [-2.5, np.nan, np.nan, np.nan, -2.5])


def test_other_equinoxes_and_offsets_are_no_positions():
    table = Table({"RAB1950": [1.0], "DEB1950": [2.0], "off_x": [1.0], "off_y": [1.0]})
    for name, ucd in (("RAB1950", "pos.eq.ra"), ("DEB1950", "pos.eq.dec"),
                      ("off_x", "pos.eq.ra;arith.diff"), ("off_y", "pos.eq.dec;arith.diff")):
        table[name].meta["ucd"] = ucd
    with pytest.raises(ValueError, match="no positions"):
        find_positions(table)


@pytest.mark.parametrize("column", [[True, False], np.array([1 + 1j, 2]),
                                    np.array(["2020-01-01"] * 2, "M8[D]")])
def test_sizes_that_are_no_numbers(column):
    with pytest.raises(ValueError, match="expected numbers"):
        find_sizes(Table({"petroR90_r": column}))
