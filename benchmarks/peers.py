"""Our networks beside other ways to such answers: speed, and a classical one's accuracy.

    pip install onnxruntime openvino tf2onnx torch timm statmorph photutils
    python benchmarks/peers.py speed --out docs
    python benchmarks/peers.py classical --data DATA --work WORK --out docs

``speed`` times, in turn in one run, the networks alone on pixels in memory: ``ds18`` by Keras'
``predict`` (three times, as one would first write it) and as astromorph runs it, the default and
the precise network as astromorph runs them and in ONNX Runtime and OpenVINO, and ConvNeXt-Pico, the
smallest architecture that Zoobot (Walmsley et al. 2023) has published, at its own 224 pixels with
random weights. ``classical`` measures concentration, asymmetry, smoothness, Gini and M20 with
statmorph (Rodriguez-Gomez et al. 2019), trains scikit-learn's gradient boosting on them and
compares it with the default network on the same galaxies.
"""
import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from accuracy import SETS, probabilities, read_set, short
from documents import list_table, write_table
from throughput import ratio, time_in_turn

from astromorph import QUESTIONS, MorphologyClassifier, networks
from astromorph.images import load_frame
from astromorph.metrics import score
from astromorph.model.files import DEFAULT

SIDE, FRAME_R90 = 128, 6.36
MEASURES = ("concentration", "asymmetry", "smoothness", "gini", "m20", "ellipticity_asymmetry")


def in_onnx(model):
    """The model in ONNX Runtime: pixels -> answers."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        model.export(path, format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0]


def in_openvino(model):
    """The model in OpenVINO: pixels -> answers."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        compiled = openvino.compile_model(openvino.convert_model(folder), "CPU", {
            "PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"})
    return lambda pixels: compiled(pixels)[0]


ZOOBOT = """
import sys
import timm
import torch
model = timm.create_model("convnext_pico", pretrained=False, num_classes=0).eval()
model = model.to(memory_format=torch.channels_last)
pixels = torch.rand(32, 3, 224, 224).to(memory_format=torch.channels_last)
for line in sys.stdin:
    with torch.inference_mode():
        for _ in range(int(line)):
            model(pixels)
    print("done", flush=True)
"""


class Zoobot:
    """Zoobot's smallest published architecture with random weights, on random pixels.

    In a process of its own: PyTorch and TensorFlow do not always live together in one.
    """

    def __init__(self):
        self._process = subprocess.Popen([sys.executable, "-c", ZOOBOT], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1)

    def __call__(self, pixels):
        self._process.stdin.write(f"{len(pixels) // 32}\n")
        if self._process.stdout.readline() != "done\n":
            raise SystemExit("PyTorch failed; are torch and timm installed?")
        return pixels[:, :0]


def batches(run, size=64):
    """Run pixels batch by batch."""
    return lambda pixels: np.concatenate([run(pixels[start:start + size])
                                          for start in range(0, len(pixels), size)])


def speed(n, repeats, out):
    """Time the networks in turn; write the table."""
    ds18 = networks.build("ds18", QUESTIONS)
    three = [networks.ds18((question.key,)) for question in QUESTIONS]
    ways = {
        "``ds18``, Keras ``predict`` three times": (
            69, lambda x: [one.predict(x, verbose=0) for one in three]),
        "``ds18``, astromorph": (69, partial(networks.run, networks.Frozen(ds18)))}
    expected, rng = {}, np.random.default_rng(0)
    pixels = {size: rng.random((n, size, size, 3), np.float32) for size in (69, 224)}
    for network in (DEFAULT, "whirlpool"):
        model = MorphologyClassifier.from_pretrained("sdss", network=network).model.network
        size = model.input_shape[1]
        pixels[size] = rng.random((n, size, size, 3), np.float32)
        answers = networks.run(model, pixels[size][:64])  # export wants a call
        for by, run in (("astromorph", partial(networks.run, networks.Frozen(model))),
                        ("ONNX Runtime", batches(in_onnx(model))),
                        ("OpenVINO", batches(in_openvino(model)))):
            ways[name := f"``{network}``, {by}"], expected[name] = (size, run), answers
    ways["ConvNeXt-Pico (Zoobot's smallest), PyTorch"] = (224, Zoobot())
    for name, (size, run) in ways.items():
        answers = run(pixels[size][:64])
        if name in expected and (change := np.abs(answers - expected[name]).max()) > 1e-4:
            raise SystemExit(f"{name} differs from astromorph by {change:.1e}")
    few = {name: pixels[size][:n // 8] if size == 224 else pixels[size]
           for name, (size, _) in ways.items()}
    seconds = time_in_turn({name: partial(run, few[name]) for name, (_, run) in ways.items()},
                           repeats)
    per_image = {name: [time / len(few[name]) for time in times] for name, times in seconds.items()}
    rows = [[name, f"{1 / statistics.median(times):.0f}",
             f"{ratio(per_image, next(iter(ways)), name):.1f}"]
            for name, times in per_image.items()]
    table = list_table("Networks alone", ["way", "images per second", "relative"], rows)
    print("\n".join(table))
    write_table(out, "peers_speed_table", table)


def measure(path, cutout_r90):
    """Classical measures of one galaxy and the seconds they took; NaN where they fail."""
    import statmorph
    from photutils.segmentation import detect_sources

    start = time.perf_counter()
    values = np.full(len(MEASURES) + 3, np.nan)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            pixels, _ = load_frame(path, SIDE, frame_r90=FRAME_R90, cutout_r90=cutout_r90)
            flux = np.sinh(7.5 * pixels) / 7.5
            gray = flux.mean(axis=-1)
            edge = np.concatenate([gray[:9].ravel(), gray[-9:].ravel()])
            sky = np.median(edge)
            noise = 1.4826 * np.median(np.abs(edge - sky)) + 1e-3
            labels = detect_sources(gray - sky, 1.5 * noise, 5).data
            own = labels == labels[SIDE // 2, SIDE // 2]
            shape = statmorph.SourceMorphology(
                gray - sky, own.astype(int), label=1, mask=(labels > 0) & ~own,
                weightmap=np.full(gray.shape, noise))
            colors = np.log(flux[own].sum(axis=0) + 1e-3)
            values[:] = [*(getattr(shape, name) for name in MEASURES), colors[0] - colors[1],
                         colors[1] - colors[2], shape.rpetro_circ]
    except Exception:  # a classical measurement that fails is an answer: missing
        pass
    return values, time.perf_counter() - start


def measures_of(data, split, cache, limit):
    """Measures, labels, and this split's paths and widths; as many galaxies as ``limit`` a set."""
    tables = [read_set(data, name, split) for name in SETS]
    rng = np.random.default_rng(0)
    chosen = [np.sort(rng.permutation(len(paths))[:limit]) for paths, *_ in tables]
    paths = [str(paths[k]) for (paths, *_), rows in zip(tables, chosen) for k in rows]
    widths = np.concatenate([np.asarray(widths)[rows]
                             for (_, widths, *_), rows in zip(tables, chosen)])
    labels = np.concatenate([labels[rows] for (*_, labels, _), rows in zip(tables, chosen)])
    if not cache.exists():
        with ProcessPoolExecutor() as pool:
            values, seconds = zip(*pool.map(measure, paths, widths, chunksize=8))
        np.savez(cache, values=np.array(values), seconds=np.array(seconds))
    saved = np.load(cache)
    return saved["values"], saved["seconds"], labels, paths, widths


def classical(data, work, out, limit):
    """Train and test gradient boosting on classical measures, beside the default network."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    work.mkdir(parents=True, exist_ok=True)
    seen, _, truth, *_ = measures_of(data, "train", work / "measures-train.npz", limit)
    new, seconds, labels, paths, widths = measures_of(data, "test", work / "measures-test.npz",
                                                      limit)
    classifier = MorphologyClassifier.from_pretrained("sdss")
    ours = probabilities(classifier.classify(paths, cutout_r90=widths, progress=False))
    rows = []
    for q, question in enumerate(QUESTIONS):
        known = np.isfinite(truth[:, q])
        trees = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.05, random_state=0)
        trees.fit(seen[known], truth[known, q])
        for name, answers in (("classical", trees.predict_proba(new)[:, 1]), (DEFAULT, ours[:, q])):
            scores = score(labels[:, q], answers)
            rows.append([question.key, name, int(np.isfinite(labels[:, q]).sum()),
                         *(short(getattr(scores, key), key.upper())
                           for key in ("tpr", "precision", "accuracy", "auc"))])
    table = list_table(
        f"Gradient boosting on classical measures ({len(seen)} galaxies to train, "
        f"{np.median(seconds):.2f} s a galaxy and core) and ``{DEFAULT}``",
        ["", "by", "galaxies", "TPR", "precision", "accuracy", "ROC area"], rows)
    print("\n".join(table))
    write_table(out, "peers_classical_table", table)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    fast = commands.add_parser("speed")
    fast.add_argument("--images", type=int, default=512)
    fast.add_argument("--repeats", type=int, default=5)
    fast.add_argument("--out", type=Path, required=True)
    old = commands.add_parser("classical")
    old.add_argument("--data", type=Path, required=True)
    old.add_argument("--work", type=Path, required=True, help="keeps the measures")
    old.add_argument("--out", type=Path, required=True)
    old.add_argument("--limit", type=int, default=600, help="galaxies of a set to measure")
    args = parser.parse_args()
    if args.command == "speed":
        speed(args.images, args.repeats, args.out)
    else:
        classical(args.data, args.work, args.out, args.limit)


if __name__ == "__main__":
    main()
