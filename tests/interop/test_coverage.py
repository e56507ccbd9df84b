"""Coverage maps hold the galaxies, and little else."""
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astromorph.interop import to_moc

mocpy = pytest.importorskip("mocpy")

TABLE = Table({"ra": [0.01, 359.99, 120.0, np.nan], "dec": [0.0, 0.0, -60.0, 5.0],
               "radius": [30.0, 60.0, 90.0, 5.0] * u.arcsec})


def test_cells():
    moc = to_moc(TABLE, order=10)
    assert moc.max_order == 10
    assert moc.contains_lonlat(TABLE["ra"][:3] * u.deg, TABLE["dec"][:3] * u.deg).all()
    assert not moc.contains_lonlat([5] * u.deg, [5] * u.deg).any()
    assert moc.sky_fraction == pytest.approx(3 / (12 * 4**10))


@pytest.mark.parametrize("radius", ["radius", 30 * u.arcsec, [30, 60, 90, np.nan] * u.arcsec])
def test_circles(radius):
    moc = to_moc(TABLE, radius=radius, order=18)
    sizes = TABLE["radius"].value if isinstance(radius, str) else np.ones(4) * radius.value
    places = SkyCoord(TABLE["ra"][:3], TABLE["dec"][:3], unit="deg")
    for factor, inside in ((0.95, True), (1.1, False)):
        around = places.directional_offset_by(40 * u.deg, factor * sizes[:3] * u.arcsec)
        assert (moc.contains_skycoords(around) == inside).all()


def test_positions_alone(tmp_path):
    moc = to_moc(SkyCoord([10, 20] * u.deg, [0, 0] * u.deg))
    moc.save(tmp_path / "x.fits", format="fits")
    assert mocpy.MOC.load(tmp_path / "x.fits", format="fits") == moc


@pytest.mark.parametrize("options, message", [
    ({"order": 30}, "order: expected a whole number from 0 to 29. Received 30"),
    ({"order": -1}, "order: expected a whole number"), ({"order": 12.0}, "order: expected a whole"),
    ({"radius": 5}, "radius"), ({"radius": "nothing"}, "radius"),
    ({"radius": -1 * u.arcsec}, "radius: expected a positive angle of at most 10 deg"),
    ({"radius": 11 * u.deg}, "radius: expected a positive angle of at most 10 deg"),
    ({"radius": [1] * u.arcsec}, "radius: expected one angle or 4"),
    ({"radius": "radius", "order": 29}, "order: expected at most 23 for circles of 90 arcsec, "
     "which are 5000 cells wide then. Received 29. Pass a smaller order=")])
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        to_moc(TABLE, **options)


def test_the_finest_order_is_for_positions_and_small_circles():
    assert to_moc(TABLE, order=np.int64(29)).max_order == 29
    assert to_moc(TABLE, radius=0.1 * u.arcsec, order=np.int64(29)).max_order == 29
    assert to_moc(TABLE[:1], radius=10 * u.deg).sky_fraction == pytest.approx(0.0076, rel=0.01)


def test_rows_without_a_sensible_radius_are_left_out():
    moc = to_moc(TABLE, radius=[30, 5e4, -1, 5] * u.arcsec)
    assert moc.contains_lonlat(TABLE["ra"][:3] * u.deg, TABLE["dec"][:3] * u.deg).tolist() == [
        True, False, False]


def test_no_positions():
    with pytest.raises(ValueError, match="galaxies with a position"):
        to_moc(TABLE[3:])
