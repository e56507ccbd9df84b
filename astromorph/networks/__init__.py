"""The networks: build, run, train. The only package that knows Keras."""
from astromorph.networks.training import (NETWORKS, Augmentation, FineTuning, Frozen,
                                          answer_features, build, crop, ds18, export_weights,
                                          features, fit, gigaflops, has_bfloat16, import_weights,
                                          in_bfloat16, masked_crossentropy, pinwheel, run,
                                          run_dropout, run_views, split, tuningfork)

__all__ = ["NETWORKS", "Augmentation", "FineTuning", "Frozen", "answer_features", "build", "crop",
           "ds18", "export_weights", "features", "fit", "gigaflops", "has_bfloat16",
           "import_weights", "in_bfloat16", "masked_crossentropy", "pinwheel", "run",
           "run_dropout", "run_views", "split", "tuningfork"]
