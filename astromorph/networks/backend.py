"""Keras and TensorFlow: a quiet start, plain settings, and a check for forked processes."""
import ctypes
import logging
import os
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["XLA", "check_process", "keras", "no_retracing_notes", "plain_settings"]


@contextmanager
def _quiet_start():
    """Keep TensorFlow's notes of its start off the terminal; leave the environment as it is.

    TensorFlow reads the variable when Python loads it, but its very first notes heed no setting.
    They go to ``stderr`` of the C library, so this stream leads nowhere meanwhile. File descriptor
    2, to which Python and other processes write, stays as it is. A user who sets the variable to 0
    sees all notes.
    """
    name = "TF_CPP_MIN_LOG_LEVEL"
    level = os.environ.get(name)
    if level == "0" or "tensorflow" in sys.modules:
        yield
        return
    os.environ[name] = level or "3"
    library, stderr = _c_stderr()
    if stderr is not None:
        before = stderr.value
        # This stream is never closed, because another thread may be about to write to it.
        stderr.value = library.fopen(os.devnull.encode(), b"w") or before
    try:
        yield
    finally:
        if stderr is not None:
            stderr.value = before
        if level is None:
            os.environ.pop(name, None)


def _c_stderr():
    """The C library, and its ``stderr`` (None if it has none of the known names)."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # on Windows
        return None, None
    library.fopen.restype = ctypes.c_void_p
    for name in ("stderr", "__stderrp"):  # on Linux, on macOS
        try:
            return library, ctypes.c_void_p.in_dll(library, name)
        except ValueError:
            continue
    return library, None


with _quiet_start():
    import keras

# With TensorFlow on a CPU, XLA makes these networks slower. Other backends need their compiler.
XLA = keras.config.backend() != "tensorflow"


class _NoRetracingNotes(logging.Filter):
    """Drops TensorFlow's notes on retracing in threads that want this."""

    def __init__(self):
        super().__init__()
        self.thread = threading.local()

    def filter(self, record):
        return not (getattr(self.thread, "depth", 0) and "retracing" in record.getMessage())


_notes = _NoRetracingNotes()
logging.getLogger("tensorflow").addFilter(_notes)


@contextmanager
def no_retracing_notes():
    """Drop TensorFlow's notes that a function was traced again; other code still gets its own."""
    _notes.thread.depth = getattr(_notes.thread, "depth", 0) + 1
    try:
        yield
    finally:
        _notes.thread.depth -= 1


class _Plain:
    """The user's settings of Keras for the whole process, kept while plain ones are in force."""

    def __init__(self):
        self.lock, self.depth = threading.Lock(), 0

    def enter(self):
        with self.lock:
            if not self.depth:
                self.users = keras.config.floatx(), keras.config.image_data_format()
                keras.config.set_floatx("float32")
                keras.config.set_image_data_format("channels_last")
            self.depth += 1

    def leave(self):
        with self.lock:
            self.depth -= 1
            if not self.depth:
                keras.config.set_floatx(self.users[0])
                keras.config.set_image_data_format(self.users[1])


_plain = _Plain()


@contextmanager
def plain_settings(dtype="float32"):
    """Make Keras build channels-last layers of float32 weights, whatever the user's settings are.

    Parameters
    ----------
    dtype : str
        Keras dtype policy of the layers that are built meanwhile.
    """
    policy = keras.config.dtype_policy()
    _plain.enter()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        _plain.leave()


_process = {"used": False, "forked": False}


def _before_fork():
    """Find out whether TensorFlow was used, by astromorph or (Linux names threads) by others."""
    for thread in Path("/proc/self/task").glob("*/comm"):
        with suppress(OSError):  # a thread may end meanwhile
            _process["used"] |= thread.read_text().startswith("tf_")


def _after_fork():
    _process["forked"] |= _process["used"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)


def check_process():
    """Raise an error in a process that was forked from one that had used TensorFlow.

    A fork does not copy TensorFlow's threads, so that TensorFlow would wait for them forever.

    Raises
    ------
    RuntimeError
        In such a process.
    """
    if _process["forked"]:
        raise RuntimeError(
            "astromorph cannot classify in this process, because it was forked after TensorFlow "
            "had been used: TensorFlow would wait forever. Use the start method spawn or "
            'forkserver, for example multiprocessing.get_context("spawn").')
    _process["used"] = True
