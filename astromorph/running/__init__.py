"""Galaxies stream through the network into results; a checkpoint keeps what is done."""
from astromorph.running.results import Results, probabilities
from astromorph.running.run import classify, predict, prepare, read_frames, run

__all__ = ["Results", "classify", "predict", "prepare", "probabilities", "read_frames", "run"]
