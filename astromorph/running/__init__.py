"""Run the network on a stream of galaxies, collect the results, and keep them in a checkpoint."""
from astromorph.running.results import Results, probabilities
from astromorph.running.run import classify, predict, prepare, read_frames, run

__all__ = ["Results", "classify", "predict", "prepare", "probabilities", "read_frames", "run"]
