import os
import shutil
import subprocess

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS
from regions import (CircleAnnulusSkyRegion, CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion,
                     RectangleSkyRegion, Regions)

from astromorph.galaxies.regions import CLASS_COLORS, bounding_circle, inside, to_regions

CENTERS = [(150.0, 2.0), (0.003, -30.0), (359.999, 45.0), (80.0, 89.98), (12.0, -90.0)]


def center_of(ra, dec):
    return SkyCoord(ra, dec, unit="deg")


def scattered(center, radius, n=4000):
    """Positions all over a circle 1.6 times as large, and their offsets to the east and north."""
    rng = np.random.default_rng(5)
    distance = 1.6 * radius * np.sqrt(rng.random(n))
    angle = 360 * u.deg * rng.random(n)
    points = center.directional_offset_by(angle, distance)
    return points, (distance * np.sin(angle)).to(u.arcsec), (distance * np.cos(angle)).to(u.arcsec)


@pytest.mark.parametrize("position", CENTERS)
@pytest.mark.parametrize("radius", [20 * u.arcsec, 3 * u.arcmin, 4 * u.deg])
def test_circle_is_that_of_the_sphere(position, radius):
    center = center_of(*position)
    points, *_ = scattered(center, radius)
    expected = center.separation(points) < radius
    assert 1000 < expected.sum() < 3000
    region = CircleSkyRegion(center, radius)
    np.testing.assert_array_equal(inside(region, points.ra.deg, points.dec.deg), expected)


@pytest.mark.parametrize("position", CENTERS[:4])
@pytest.mark.parametrize("angle", [0, 25, 90, 160] * u.deg)
@pytest.mark.parametrize("kind", [EllipseSkyRegion, RectangleSkyRegion])
def test_rotated_shapes(position, angle, kind):
    center, width, height = center_of(*position), 400 * u.arcsec, 150 * u.arcsec
    points, east, north = scattered(center, 210 * u.arcsec)
    # The width lies along the west-east line and turns from the west to the north.
    along = (-east * np.cos(angle) + north * np.sin(angle)) / (width / 2)
    across = (east * np.sin(angle) + north * np.cos(angle)) / (height / 2)
    size = np.hypot(along, across) if kind is EllipseSkyRegion else np.maximum(abs(along),
                                                                               abs(across))
    clear = abs(size - 1) > 1e-3
    found = inside(kind(center, width, height, angle), points.ra.deg, points.dec.deg)
    assert found.any()
    np.testing.assert_array_equal(found[clear], (size < 1)[clear])


@pytest.mark.parametrize("position", CENTERS)
def test_sides_of_a_polygon_are_great_circles(position):
    middle = center_of(*position)
    vertices = middle.directional_offset_by([10, 130, 250] * u.deg, [8, 9, 10] * u.deg)
    points, *_ = scattered(middle, 8 * u.deg)
    corners, xyz = vertices.cartesian.xyz.value.T, points.cartesian.xyz.value
    sides = [np.cross(corners[k], corners[(k + 1) % 3]) @ xyz for k in range(3)]
    expected = np.all(np.sign(sides) == np.sign(sides[0][np.argmin(points.separation(middle))]),
                      axis=0)
    assert 100 < expected.sum() < 3900
    found = inside(PolygonSkyRegion(vertices), points.ra.deg, points.dec.deg)
    np.testing.assert_array_equal(found, expected)


def test_regions_of_another_frame():
    galactic = SkyCoord(l=120 * u.deg, b=40 * u.deg, frame="galactic")
    region = EllipseSkyRegion(galactic, 4 * u.arcmin, 1 * u.arcmin, 30 * u.deg)
    points, *_ = scattered(galactic, 2 * u.arcmin)  # offsets in galactic coordinates
    east, north = galactic.spherical_offsets_to(points)
    along = -east * np.cos(30 * u.deg) + north * np.sin(30 * u.deg)
    across = east * np.sin(30 * u.deg) + north * np.cos(30 * u.deg)
    size = np.hypot(along / (2 * u.arcmin), across / (0.5 * u.arcmin)).to_value("")
    clear = abs(size - 1) > 1e-3
    found = inside(region, points.icrs.ra.deg, points.icrs.dec.deg)
    np.testing.assert_array_equal(found[clear], (size < 1)[clear])


def test_missing_positions_and_shapes_of_arrays():
    region = CircleSkyRegion(center_of(0, 0), 1 * u.deg)
    found = inside(region, [[np.nan, 359.5], [180, 0]], [[0, 0], [0, 0.5]])
    np.testing.assert_array_equal(found, [[False, True], [False, True]])
    assert inside(region, 0, 0).shape == ()
    assert inside(region, [], []).shape == (0,)


@pytest.mark.parametrize("region", [
    CircleSkyRegion(center_of(359.9, 10), 1 * u.deg),
    EllipseSkyRegion(center_of(0, 10), 1 * u.deg, 2 * u.deg, 30 * u.deg),
    RectangleSkyRegion(center_of(5, -89.8), 1 * u.deg, 2 * u.deg, 60 * u.deg),
    PolygonSkyRegion(center_of([359, 2, 1, 0.5], [-1, 0, 2, 0.5])),
], ids=lambda region: type(region).__name__)
def test_bounding_circle_holds_the_region(region):
    center, radius = bounding_circle(region)
    points, *_ = scattered(center, radius)
    found = points[inside(region, points.ra.deg, points.dec.deg)]
    assert len(found) > 50
    assert center.separation(found).max() <= radius * (1 + 1e-9)
    assert center.separation(found).max() > 0.8 * radius


def test_other_regions_raise():
    annulus = CircleAnnulusSkyRegion(center_of(0, 0), 1 * u.deg, 2 * u.deg)
    with pytest.raises(TypeError, match="CircleSkyRegion, EllipseSkyRegion, PolygonSkyRegion or "
                                        "RectangleSkyRegion. Received CircleAnnulusSkyRegion"):
        inside(annulus, [0], [0])
    with pytest.raises(TypeError, match="Received str"):
        bounding_circle("circle(0, 0, 1)")
    with pytest.raises(ValueError, match="smaller than a hemisphere"):
        bounding_circle(PolygonSkyRegion(center_of([0, 120, 240], [0, 0, 0])))


@pytest.fixture
def classified():
    return Table({
        "ra": [10.0, 10.1, 10.2, 10.3, 10.4, np.nan], "dec": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
        "petroR90_r": [5.0, 6.0, 7.0, 8.0, 9.0, 9.0],
        "P_disk": MaskedColumn([0.1, 0.9, 0.9, 0.9, 0.0, 0.9], mask=[0, 0, 0, 0, 1, 0]),
        "P_edge_on": [0.9, 0.2, 0.8, 0.1, 0.0, 0.0], "P_bar": [0.9, 0.3, 0.9, 0.7, 0.0, 0.9]})


def test_written_regions_keep_class_and_color(classified, tmp_path):
    regions = to_regions(classified)
    labels = ["smooth 0.90", "featured 0.90", "edge-on 0.80", "barred 0.70", "unclassified"]
    assert [region.meta["text"] for region in regions] == labels
    regions.write(tmp_path / "x.reg", format="ds9")
    lines = (tmp_path / "x.reg").read_text().splitlines()
    assert "circle(10.00000000,0.00000000,0.00138889) # text={smooth 0.90} color=red" in lines
    assert lines[-1].endswith("text={unclassified} color=gray dash=1")
    back = Regions.read(tmp_path / "x.reg", format="ds9")
    assert [region.visual["edgecolor"] for region in back] == list(CLASS_COLORS.values())
    assert [region.meta["text"] for region in back] == labels
    assert [region.visual.get("linestyle") for region in back] == [None] * 4 + ["dashed"]
    assert len(set(CLASS_COLORS.values())) == len(CLASS_COLORS)


@pytest.mark.skipif(not (shutil.which("ds9") and shutil.which("xvfb-run")),
                    reason="DS9 or Xvfb is not installed")
def test_ds9_opens_them(classified, tmp_path):
    """It saves the same regions as it was given, with text, color and dashes."""
    to_regions(classified).write(tmp_path / "x.reg", format="ds9")
    wcs = WCS({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.2, "CRVAL2": 0.2,
               "CRPIX1": 50.0, "CRPIX2": 50.0, "CDELT1": -0.01, "CDELT2": 0.01})
    fits.writeto(tmp_path / "x.fits", np.eye(100, dtype=np.float32), wcs.to_header())
    subprocess.run(["xvfb-run", "-a", "ds9", "x.fits", "-regions", "load", "x.reg", "-regions",
                    "system", "wcs", "-regions", "sky", "icrs", "-regions", "save", "y.reg",
                    "-exit"], cwd=tmp_path, check=True, timeout=120, env=os.environ | {
                        "HOME": str(tmp_path)})
    given, saved = (Regions.read(tmp_path / name, format="ds9") for name in ("x.reg", "y.reg"))
    assert len(saved) == len(given) == 5
    for one, other in zip(given, saved):
        assert one.center.separation(other.center) < 0.01 * u.arcsec
        assert abs(one.radius - other.radius) < 0.01 * u.arcsec
        assert one.meta["text"] == other.meta["text"]
        assert one.visual["edgecolor"] == other.visual["edgecolor"]
        dashed = [each.visual.get("linestyle") is not None for each in (one, other)]
        assert dashed[0] == dashed[1]


def test_threshold_and_radius(classified):
    first, *others = to_regions(classified, radius=4 * u.arcmin, threshold=0.05)
    assert first.meta["text"] == "edge-on 0.90"
    assert u.allclose([region.radius for region in others], 4 * u.arcmin)
    with pytest.raises(ValueError, match="radius: expected an angle with its unit.*number 3"):
        to_regions(classified, radius=3)


@pytest.mark.parametrize("names", [("expAB_r", "expPhi_r"), ("axis_ratio", "position_angle")])
def test_ellipses_lie_along_the_position_angle(classified, names):
    classified[names[0]], classified[names[1]] = [0.3, 0.3, 0.3, np.nan, 1, 0.3], 40.0
    regions = to_regions(classified)
    assert [type(region) for region in regions] == [EllipseSkyRegion] * 3 + [CircleSkyRegion] * 2
    center, tip = center_of(10.0, 0.0), 4.9 * u.arcsec
    for angle, within in ((40, True), (220, True), (130, False), (-40, False)):
        point = center.directional_offset_by(angle * u.deg, tip)
        assert inside(regions[0], point.ra.deg, point.dec.deg) == within


def test_what_the_table_lacks(classified):
    whole = to_regions(classified)
    classified.remove_column("P_bar")
    texts = [region.meta["text"].split()[0] for region in to_regions(classified)]
    assert "barred" not in texts and len(texts) == len(whole)
    with pytest.raises(ValueError, match="table: expected a classified table, with the column P_d"):
        to_regions(classified[["ra", "dec", "petroR90_r"]])
    classified.remove_column("petroR90_r")
    with pytest.raises(ValueError, match="radius: expected an angle.* no column of R90"):
        to_regions(classified)
    assert len(to_regions(classified[:0], radius=1 * u.arcsec)) == 0


def test_an_excluded_region_is_refused():
    region, = Regions.parse("icrs;-circle(194.95,27.98,0.17)", format="ds9")
    for search in (bounding_circle, lambda region: inside(region, 194.95, 27.98)):
        with pytest.raises(ValueError, match="region: .* Received an excluded one"):
            search(region)
