"""The content of a weights file: a trained model, its card, its calibration."""
from astromorph.model.card import Card
from astromorph.model.trained import TrainedModel

__all__ = ["Card", "TrainedModel"]
