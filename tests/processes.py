"""New processes that do not wait for TensorFlow's start: copies of one that has only loaded it."""
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

_METHODS = multiprocessing.get_all_start_methods()
_context = multiprocessing.get_context("forkserver" if "forkserver" in _METHODS else "spawn")
_context.set_forkserver_preload(["astromorph.networks"])

# Ahead of the code of a process that needs answers, but no network: means of the pixels.
NO_TENSORFLOW = """
import sys, types
import astromorph

network = types.ModuleType("astromorph.networks")
network.build = lambda *args: types.SimpleNamespace(input_shape=(None, 80, 80, 3))
network.Frozen = network.import_weights = lambda *args: None
network.has_bfloat16, network.count_features = bool, lambda network: 192
network.run = lambda model, pixels, batch_size: pixels.mean(axis=(1, 2))
sys.modules["astromorph.networks"] = astromorph.networks = network
"""


def start(code, *arguments, output=os.devnull, errors=os.devnull):
    """Run code in a new process, as ``python -c`` does; what it says goes to two files."""
    process = _context.Process(target=_work, args=(
        code, [str(each) for each in arguments], str(output), str(errors)))
    process.start()
    return process


def run(code, *arguments):
    """Run code in a new process to its end: its ``returncode``, ``stdout`` and ``stderr``."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = start(code, *arguments, output=output, errors=errors)
        process.join()
        return SimpleNamespace(returncode=process.exitcode, stdout=output.read_text(),
                               stderr=errors.read_text())


def _work(code, arguments, output, errors):
    for number, path in enumerate((output, errors), 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<process>", "exec"), {"__name__": "__main__"})
