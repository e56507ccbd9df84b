"""Galaxies stream through the network into results; a checkpoint keeps what is done."""
from astromorph.running.results import Results, probabilities
from astromorph.running.run import classify, predict, read_frames, run

__all__ = ["Results", "classify", "predict", "probabilities", "read_frames", "run"]
