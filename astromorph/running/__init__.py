"""Galaxies stream through the network: results, checkpoints."""
