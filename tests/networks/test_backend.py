"""Keras starts without noise, whatever its configuration says, and does not hang after a fork."""
import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from astromorph import networks


def _python(code, **environment):
    """What a new process prints, and what it writes to its terminal."""
    inherited = {name: value for name, value in os.environ.items()
                 if name not in ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")}
    done = subprocess.run([sys.executable, "-c", code], env=inherited | environment, timeout=120,
                          capture_output=True, text=True)
    return done.stdout.split("\n"), done.stderr


@pytest.mark.slow
def test_start_is_quiet_and_leaves_the_process_alone(tmp_path):
    (tmp_path / "keras.json").write_text(
        '{"floatx": "float16", "epsilon": 1e-7, "backend": "tensorflow", '
        '"image_data_format": "channels_first"}')
    printed, errors = _python("""
import ctypes, os
def forbidden(*args): raise AssertionError("a file descriptor is replaced")
os.dup2 = forbidden
before = dict(os.environ), os.fstat(2)
import numpy as np
from astromorph import networks
assert (dict(os.environ), os.fstat(2)) == before
model = networks.build("pinwheel", ["disk", "bar"], size=16, blocks=((8, 2),))
for batch_size in range(1, 8):  # of other shapes: TensorFlow traces anew
    answers = networks.run(model, np.ones((2, *model.input_shape[1:])), batch_size=batch_size)
print(answers.shape, answers.dtype, model.layers[-1].dtype)
import keras
print(keras.config.floatx(), keras.config.image_data_format())
ctypes.CDLL(None).perror(b"the C library still speaks")
""", KERAS_HOME=str(tmp_path))
    assert printed == ["(2, 2) float32 float32", "float16 channels_first", ""]
    assert errors.startswith("the C library still speaks") and errors.count("\n") == 1


@pytest.mark.slow
def test_forked_process_is_told():
    """A process may fork before TensorFlow is used, and after it no more."""
    printed, errors = _python("""
import os, signal
import numpy as np
from astromorph import networks

pixels = np.ones((1, 16, 16, 3), np.float32)

def build():
    return networks.build("pinwheel", ["disk"], size=16, blocks=((8, 2),))

def answer():
    return networks.run(build(), pixels, batch_size=1)

def fork(work):
    if not os.fork():
        signal.alarm(60)
        try:
            print(work().shape, flush=True)
        except RuntimeError as error:
            print(error, flush=True)
        os._exit(0)
    print(os.wait()[1], flush=True)

fork(answer)
import keras
keras.ops.ones(3)  # TensorFlow is used, though not by astromorph
fork(answer)
model = build()
for work in (networks.run, networks.features, networks.run_dropout, networks.run_views):
    fork(lambda: work(model, pixels))
fork(lambda: networks.answer_features(model, np.ones(8)))
fork(lambda: networks.Frozen(model))
fork(lambda: networks.export_weights(model))
""")
    first, second = printed[:-1:2], printed[1::2]
    assert set(second) == {"0"} and not errors
    assert first[0] == "(1, 1)" and len(first) == 9
    assert all("Use the start method spawn or forkserver" in line for line in first[1:])


def test_notes_of_others_are_not_dropped(caplog):
    """TensorFlow's notes on retracing are for those whose function it is."""
    logger = logging.getLogger("tensorflow")
    handler = caplog.handler
    logger.addHandler(handler)
    try:
        model = networks.build("pinwheel", ["disk"], size=16, blocks=((8, 2),))
        for batch_size in range(1, 8):
            networks.run(model, np.ones((1, 16, 16, 3), np.float32), batch_size=batch_size)
        assert not caplog.records
        logger.warning("5 calls triggered tf.function retracing")
        assert "5 calls" in caplog.text
    finally:
        logger.removeHandler(handler)
