"""A catalog in one mosaic: the same answers as from cutouts made by hand, the rate, the memory.

    python benchmarks/mosaic.py --galaxies 10000 --side 10000
    python benchmarks/mosaic.py --bands gri

The mosaic is a FITS file of noise with the simulated galaxies of `astromorph.datasets.load_sample`
at positions on a grid, each moved by up to some pixels. The cutouts are made from it by
`astropy.nddata.Cutout2D` and written to FITS files, one per galaxy, before anything is timed. Both
ways classify in processes of their own, one after the other, twice; the ratio of their rates holds
whatever the machine's load.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.table import QTable
from astropy.wcs import WCS

CUTOUT = 121  # pixels, more than the frame of the largest galaxy
RUN = """
import json, resource, sys, time
import numpy as np
from astropy.table import QTable
from astromorph import MorphologyClassifier
from astromorph.tables import read_table
path, out = sys.argv[1:]
table = read_table(path)
clf = MorphologyClassifier.from_pretrained("sdss")
clf.classify(table[:64], images="file", r90="r90", progress=False)
begun = time.perf_counter()
got = clf.classify(table, images="file", r90="r90", progress=False)
seconds = time.perf_counter() - begun
np.save(out, np.array([got[name].filled(np.nan) for name in ("P_disk", "P_edge_on", "P_bar")]))
print(json.dumps({"seconds": seconds, "flags": sorted(set(got["morph_flag"].tolist())),
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""


def make(folder, n, side, bands):
    """Write the mosaic and the cutouts; the two tables that name them."""
    mosaic, header, table = draw(n, side, bands)
    fits.writeto(folder / "mosaic.fits", mosaic if len(bands) > 1 else mosaic[0], header)
    wcs = WCS(header).celestial
    files = []
    for k, position in enumerate(table["position"]):
        planes = [Cutout2D(plane, position, CUTOUT, wcs, mode="partial") for plane in mosaic]
        own = planes[0].wcs.to_header()
        own.update({key: header[key] for key in ("BUNIT", "BANDS", "FILTER") if key in header})
        files.append(str(folder / f"{k:06d}.fits"))
        flux = np.stack([plane.data for plane in planes])
        fits.writeto(files[-1], flux if len(bands) > 1 else flux[0], own)
    for name, column in (("mosaic", [str(folder / "mosaic.fits")] * n), ("cutouts", files)):
        QTable({"file": column, "ra": table["position"].ra, "dec": table["position"].dec,
                "r90": table["r90"]})[
            ["file", "ra", "dec", "r90"] if name == "mosaic" else ["file", "r90"]].write(
                folder / f"{name}_table.fits")


def draw(n, side, bands):
    """The mosaic (band, y, x), its header, and a table of positions and R90."""
    from astromorph.datasets import load_sample

    rng = np.random.default_rng(1)
    sample = load_sample()
    headers = [fits.getheader(path) for path in sample["file"]]
    images = [np.stack([fits.getdata(path)["gri".index(band)] for band in bands])
              for path in sample["file"]]
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [150.0, 2.2]
    wcs.wcs.crpix = [(side + 1) / 2] * 2
    pixel = WCS(headers[0]).celestial.proj_plane_pixel_scales()[0].to_value(u.deg)
    wcs.wcs.cdelt = [-pixel, pixel]
    header = wcs.to_header()
    header["BUNIT"] = "nanomaggy"
    header["BANDS" if len(bands) > 1 else "FILTER"] = bands
    mosaic = rng.normal(0, 0.01, (len(bands), side, side)).astype(np.float32)
    step = side / np.ceil(np.sqrt(n))
    x, y = ((np.arange(n) % np.ceil(np.sqrt(n)) + 0.5) * step,
            (np.arange(n) // np.ceil(np.sqrt(n)) + 0.5) * step)
    for k, (column, row) in enumerate(zip(x.astype(int), y.astype(int))):
        image = np.rot90(images[k % len(images)], k // len(images), (1, 2))
        half = min(image.shape[1] // 2, int(step / 2), column, row)
        middle = image.shape[1] // 2
        mosaic[:, row - half:row + half, column - half:column + half] += image[
            :, middle - half:middle + half, middle - half:middle + half]
    moved = rng.uniform(-2, 2, (2, n))
    position = wcs.pixel_to_world(x.astype(int) + moved[0], y.astype(int) + moved[1])
    r90 = np.resize(sample["petroR90"].quantity.to_value(u.arcsec), n) * u.arcsec
    return mosaic, header, {"position": position, "r90": r90}


def measure(folder, n, rounds=2):
    """Seconds of both ways, alternating, the peak of memory, and how far the answers differ."""
    found = {"mosaic": [], "cutouts": []}
    for _ in range(rounds):
        for name, runs in found.items():
            done = subprocess.run([sys.executable, "-c", RUN, folder / f"{name}_table.fits",
                                   folder / f"{name}.npy"], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    a, b = (np.load(folder / f"{name}.npy") for name in found)
    rates = {name: n / np.mean([run["seconds"] for run in runs]) for name, runs in found.items()}
    return {"galaxies": n, "mosaic_per_second": rates["mosaic"],
            "cutouts_per_second": rates["cutouts"], "ratio": rates["mosaic"] / rates["cutouts"],
            "peak_gb": max(run["peak"] for run in found["mosaic"]) / 1e9,
            "largest_difference": float(np.nanmax(np.abs(a - b))),
            "unclassified": [int(np.isnan(each).any(axis=0).sum()) for each in (a, b)],
            "flags": {name: runs[0]["flags"] for name, runs in found.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--galaxies", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=10_000, help="pixels of the mosaic on a side")
    parser.add_argument("--bands", default="r", help="one of g, r, i, or gri for a cube")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), args.galaxies, args.side, args.bands)
        print(json.dumps(measure(Path(folder), args.galaxies), indent=1))


if __name__ == "__main__":
    main()
