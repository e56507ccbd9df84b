"""Read labeled galaxy images into arrays that the training scripts share.

The folder has one sub-folder a set, each with JPEG files and a ``labels.csv`` (columns ``file``,
``q1``, ``q2``, ``q3`` for disk, edge-on and bar, ``split``, ``cutout_r90``), and optionally
``unlabeled/images.csv``.
"""
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import keras
import numpy as np
from astropy.table import MaskedColumn, Table, vstack
from PIL import Image
from sklearn.metrics import roc_auc_score
from tuningfork import TUNINGFORK

from astromorph import networks
from astromorph.images import resample
from astromorph.questions import QUESTIONS

KEYS = tuple(question.key for question in QUESTIONS)
COLUMNS = dict(zip(KEYS, ("q1", "q2", "q3")))
SDSS_SETS = ("gz2", "efigi", "sdss24")
FRAME_R90 = 4.24
MARGIN = 4 / 3
# In what teachers compute, and the networks that learn from labels first.
FAST = "mixed_bfloat16"


def read_labels(root, sets, file="labels.csv"):
    """Return one table of all sets: set, path, split, one column per question (NaN: no label)."""
    tables = []
    for name in sets:
        table = Table.read(Path(root) / name / file, format="csv")
        out = Table({"path": [str(Path(root) / name / f) for f in table["file"]]})
        out["set"] = name
        for key, column in COLUMNS.items():
            out[key] = (MaskedColumn(table[column], dtype=float).filled(np.nan)
                        if column in table.colnames else np.nan)
        out["split"] = table["split"] if "split" in table.colnames else "unlabeled"
        out["cutout_r90"] = np.asarray(table["cutout_r90"], float)
        for extra in ("label_source", "catalog"):
            out[extra] = ([str(v) for v in table[extra]] if extra in table.colnames else "")
        tables.append(out)
    return vstack(tables)


def labels_of(table):
    """(n, 3) labels, NaN where a question has none."""
    return np.stack([table[key] for key in KEYS], axis=1)


def read_frame(path, cutout_r90, size):
    """One image, `MARGIN` times wider than the frame, mirrored where the cutout ends."""
    image = np.asarray(Image.open(path).convert("RGB"))
    width = image.shape[0] * FRAME_R90 * MARGIN / cutout_r90
    pad = max(0, int(np.ceil((width - image.shape[0]) / 2)) + 2)
    image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    pixels = resample(image, round(size * MARGIN), width=width)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def read_images(table, size, cache):
    """Return (n, size x MARGIN, size x MARGIN, 3) uint8 images, kept in the file ``cache``."""
    cache = Path(cache)
    if not cache.exists():
        with ThreadPoolExecutor(2) as pool:
            images = list(pool.map(read_frame, table["path"], table["cutout_r90"],
                                   [size] * len(table)))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, np.stack(images))
    return np.load(cache)


def validation(images, labels, sets, size):
    """Return a function network -> (mean cross-entropy over questions, areas by set)."""
    pixels = networks.crop(images, size)

    def validate(network):
        answers = np.clip(networks.run(network, pixels), 1e-4, 1 - 1e-4)
        entropy = -np.log(np.where(labels == 1, answers, 1 - answers))
        areas = [f"{name}/q{q + 1}={roc_auc_score(labels[good, q], answers[good, q]):.4f}"
                 for name in np.unique(sets) for q in range(labels.shape[1])
                 if (good := (sets == name) & np.isfinite(labels[:, q])).sum() > 40
                 and len(np.unique(labels[good, q])) == 2]
        entropy[np.isnan(labels)] = np.nan
        return np.nanmean(entropy, axis=0).mean(), " ".join(areas)

    return validate


def cosine(rate, steps):
    """A linear warm-up of 200 steps (a tenth where there are few), then a cosine to zero."""
    warmup = max(1, min(200, steps // 10))
    return keras.optimizers.schedules.CosineDecay(
        rate / 10, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup)


def teacher_answers(teacher, images, views=8):
    """A network's probabilities, averaged over rotations and reflections (at most eight)."""
    pixels = networks.crop(images, teacher.input_shape[1])
    return np.mean([networks.run(teacher, view)
                    for view in islice(networks.views(pixels), views)], axis=0)


def distillation_targets(labels, answers, votes=np.nan, trust=0.5):
    """Targets and weights: labels, else votes, mixed with ``1 - trust`` of a teacher's answers.

    Where there is neither, the teacher's alone; weights follow the question tree.
    """
    said = np.where(np.isfinite(labels), labels, votes)
    targets = np.where(np.isfinite(said), trust * said + (1 - trust) * answers, answers)
    return targets, np.maximum(tree_weights(answers), np.isfinite(labels))


def tree_weights(answers):
    """How likely each question is asked: edge-on of featured galaxies, bar of those not edge-on."""
    featured, face_on = answers[:, 0], 1 - answers[:, 1]
    return np.stack([np.ones_like(featured), featured, featured * face_on], axis=1)


def all_answers(teacher, file, table, more, views=8):
    """A teacher's probabilities for all training images, unlabeled ones last; kept in ``file``."""
    if not file.exists():
        size = teacher.input_shape[1]
        labeled = read_images(table, size, file.with_name(f"labeled{size}.npy"))
        labeled = labeled[table["split"] == "train"]
        unlabeled = read_images(more, size, file.with_name(f"unlabeled{size}.npy"))
        np.save(file, np.concatenate([teacher_answers(teacher, images, views)
                                      for images in (labeled, unlabeled)]))
    return np.load(file)


def tuningfork_answers(work, seed, table, more):
    """What the tuningfork trained on labels alone says of all training images."""
    teacher = networks.build(TUNINGFORK.name, KEYS, dtype=FAST)
    teacher.load_weights(work / f"tuningfork-{seed}.weights.h5")
    return all_answers(teacher, work / f"teacher-{seed}.npy", table, more)
