"""Whole runs for `fuzz.py`: tables of damaged images, classified."""
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fuzz_images import FRAME_R90, Images
from fuzz_tables import plain_table

from astromorph import CutoutError, MorphFlag, MorphologyClassifier
from astromorph.images import load_frame
from astromorph.tables import read_table, write_table

IMAGES = 40
COLUMNS = ("P_disk", "P_edge_on", "P_bar")


@dataclass
class Run:
    """Images, and the table that names their files."""

    images: list
    table: object
    format: str = "classify"

    def write(self, path):
        path.mkdir(exist_ok=True)
        for n, each in enumerate(self.images):
            each.write(path / str(n))


class Runs:
    """Run n of a seed, and its outcome."""

    megabytes = 1000  # TensorFlow

    def __init__(self, seed, data=None):
        self.seed, self.images = seed, Images(seed, data)
        self.network = MorphologyClassifier.from_pretrained("sdss")
        self.folder = tempfile.TemporaryDirectory()

    def make(self, n):
        rng = np.random.default_rng([self.seed, 4, n])
        images = [self.images.make(int(k)) for k in rng.integers(0, 10**6, IMAGES)]
        images = [each for each in images if isinstance(each.source, bytes)]
        table = plain_table(rng)
        return Run(images, table[rng.integers(len(table), size=len(images))])

    def judge(self, run):
        paths = []
        for n, each in enumerate(run.images):
            paths.append(str(Path(self.folder.name, f"{n}.dat")))
            Path(paths[-1]).write_bytes(each.source)
        run.table["file"] = paths
        try:
            found = self.network.classify(run.table, images="file", cutout_r90=8.0, progress=False)
            write_table(found, Path(self.folder.name, "t.fits"), overwrite=True)
            found = read_table(Path(self.folder.name, "t.fits"))
        except Exception as error:
            return "exception", len(paths), f"{type(error).__name__}: {error!s:.300}"
        return "judged", len(paths), fault(found, run.table, paths)


def fault(found, table, paths):
    """What is wrong with the rows of a classified table."""
    if list(found["objid"]) != list(table["objid"]) or list(found["file"]) != paths:
        return "other rows than were given"
    for row, path in zip(found, paths):
        failed = bool(row["morph_flag"] & MorphFlag.UNCLASSIFIED)
        for name in COLUMNS:
            known = row[name] is not np.ma.masked and np.isfinite(row[name])
            if known == failed or known and not 0 <= row[name] <= 1:
                return f"{name} is {row[name]} with the flag {row['morph_flag']}"
        try:
            alone = load_frame(path, 80, frame_r90=FRAME_R90, cutout_r90=8.0)[1]
        except CutoutError as error:
            alone = error.flag
        if (row["morph_flag"] & ~MorphFlag.UNUSUAL) != alone:
            return f"{path}: the flag {row['morph_flag']} in a run, {int(alone)} alone"
    return None
