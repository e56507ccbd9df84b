"""What a million galaxies cost by each way of getting images, and how long 10^8 would take.

    python benchmarks/cost.py --out docs

`classify` runs on galaxies 8 arcsec in R90 (frames 34 arcsec wide) by every way, in this process,
with an empty cache. The services are simulated on this machine (tests/loopback), in a process of
their own: requests are counted there, and bytes are those of its simulated pictures, which hold
fewer details than real ones. The local images are those of the embedded simulated galaxies. Bytes
that are read from disk are counted by Linux.
"""
import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from documents import list_table, write_table
from astropy import units as u
from astropy.table import Column
from images_by_position import ask, catalog, simulated_services
from throughput import make_files

ANSWER = 0.5
"""Seconds that a service is assumed to take for an answer."""
GALAXIES = 1e8
DAY = 86400


def services(classifiers, n):
    """Name, seconds, requests and bytes received for a galaxy by each service of each survey."""
    from astromorph.surveys import SURVEYS

    with simulated_services(0) as url:
        for survey in (SURVEYS[name] for name in classifiers):
            for service in survey.services:
                table = catalog(survey.name, n)
                with tempfile.TemporaryDirectory() as cache:
                    ask(url, "/_reset")
                    seconds, _ = used(classifiers[survey.name], table, services=service,
                                      survey=survey, cache=cache)
                stats = ask(url, "/_stats")
                yield (f"{survey.title}, ``{service}``", seconds / n, stats["requests"] / n,
                       stats["bytes"] / n)


def local(classifier, n):
    """The same for images that are there, with the bytes read."""
    from astromorph.datasets import load_sample
    from astromorph.services import LocalFolder, LocalHips

    table = catalog("sdss", n)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "jpeg").mkdir()
        pictures = make_files(folder / "jpeg", min(n, 200))
        cutouts = load_sample()["file"]
        table["jpeg"] = [str(pictures[k % len(pictures)]) for k in range(n)]
        table["fits"] = [cutouts[k % len(cutouts)] for k in range(n)]
        table["picture"] = Column([Path(path).read_bytes() for path in table["jpeg"]], dtype=object)
        table["name"] = [Path(path).stem for path in table["jpeg"]]
        make_hips(folder / "hips", table, pictures[0])
        ways = {
            "JPEG files, 424 px": {"images": "jpeg", "cutout_r90": 4.24},
            "FITS files, three bands": {"images": "fits", "cutout_r90": 4.24},
            "column of JPEG images": {"images": "picture", "cutout_r90": 4.24},
            "`~astromorph.services.LocalFolder`": {"ids": "name", "services": LocalFolder(
                folder / "jpeg", "{name}.jpg", width=34 * u.arcsec)},
            "`~astromorph.services.LocalHips`, color": {"services": LocalHips(folder / "hips")}}
        for name, options in ways.items():
            seconds, read = used(classifier, table, **options)
            if name.startswith("column"):
                read = sum(map(len, table["picture"]))
            yield name, seconds / n, 0, read / n


def make_hips(folder, table, picture):
    """A HiPS of 512 px tiles of 0.4 arcsec pixels, all of them one picture, under the galaxies."""
    from astropy_healpix import HEALPix
    from PIL import Image

    folder.mkdir()
    (folder / "properties").write_text("hips_tile_format = jpeg\nhips_frame = equatorial\n"
                                       "hips_order = 10\nhips_tile_width = 512\n")
    data = io.BytesIO()
    Image.open(picture).resize((512, 512)).save(data, "jpeg", quality=90)
    around = np.array([(0, 0), (0, 17), (17, 0), (0, -17), (-17, 0)]) / 3600
    for east, north in around:
        ra = table["ra"] + east / np.cos(np.radians(table["dec"]))
        for number in np.unique(HEALPix(2**10, "nested").lonlat_to_healpix(
                ra * u.deg, (table["dec"] + north) * u.deg)):
            tile = folder / "Norder10" / f"Dir{number // 10000 * 10000}" / f"Npix{number}.jpg"
            tile.parent.mkdir(parents=True, exist_ok=True)
            tile.write_bytes(data.getvalue())


def used(classifier, table, **options):
    """Seconds of processor and bytes read of one run."""
    read, seconds = bytes_read(), time.process_time()
    done = classifier.classify(table, progress=False, **options)
    seconds, read = time.process_time() - seconds, bytes_read() - read
    if np.ma.getmaskarray(done["P_disk"]).any():
        raise RuntimeError(f"not every galaxy was classified with {options}")
    return seconds, read


def bytes_read():
    """What this process has read of files so far."""
    with open("/proc/self/io") as file:
        return int(dict(line.split(": ") for line in file)["rchar"])


def table_lines(n):
    """The table of the documentation, and what it assumes."""
    from astromorph import MorphologyClassifier
    from astromorph.cutouts import PER_HOST
    from astromorph.datasets import load_sample

    classifiers = {survey: MorphologyClassifier.from_pretrained(survey)
                   for survey in ("sdss", "legacy", "des")}
    sample = list(load_sample()["file"])
    for classifier in classifiers.values():
        classifier.classify(sample, cutout_r90=classifier.frame_r90, progress=False)
    rows = []
    for name, seconds, requests, size in [*local(classifiers["sdss"], n),
                                          *services(classifiers, n)]:
        days = GALAXIES * requests * ANSWER / PER_HOST / DAY
        rows.append([name, f"{seconds * 1e6 / 3600:.2f}", f"{requests:.3g}", f"{size / 1e3:.0f}",
                     f"{GALAXIES * seconds / DAY:.1f}", f"{days:.0f}" if requests else ""])
        print(rows[-1], flush=True)
    return [*list_table(
        "The cost of images, decoding, resampling and network together",
        ["images", "core hours", "million requests", "GB", "core days for 10\\ :sup:`8`",
         "days of requests for 10\\ :sup:`8`"], rows),
        "Core hours (of this machine's processor), requests and gigabytes for a million galaxies, "
        f"measured on {n} of them by each way; network ``{classifiers['sdss'].card['network']}``. "
        "The days of requests are arithmetic, not measured: those of a service that takes "
        f"{ANSWER} s for an answer, with {PER_HOST} requests at a time, however many workers "
        "there are.\n"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=384, help="galaxies by each way")
    parser.add_argument("--out", type=Path, help="folder for the table of the documentation")
    args = parser.parse_args()
    text = "\n".join(table_lines(args.galaxies))
    print(text)
    if args.out:
        write_table(args.out, "cost_table", text)


if __name__ == "__main__":
    main()
