"""Build, run and train networks. No other package imports Keras."""
from astromorph.networks.architectures import (ARCHITECTURES, Architecture, Recipe, build, ds18,
                                               get_architecture, pinwheel, residual_block,
                                               whirlpool)
from astromorph.networks.inference import (Frozen, answer_features, count_features, drop_features,
                                           export_weights, features, gigaflops, has_bfloat16,
                                           import_weights, in_bfloat16, last_arrays, run,
                                           run_dropout, run_views, views, with_features)
from astromorph.networks.training import (Augmentation, FineTuning, crop, fit,
                                          masked_crossentropy, split)

__all__ = ["ARCHITECTURES", "Architecture", "Augmentation", "FineTuning", "Frozen", "Recipe",
           "answer_features", "build", "count_features", "crop", "drop_features", "ds18",
           "export_weights", "features", "fit", "get_architecture", "gigaflops", "has_bfloat16",
           "import_weights", "in_bfloat16", "last_arrays", "masked_crossentropy", "pinwheel",
           "residual_block", "run", "run_dropout", "run_views", "split", "views",
           "whirlpool", "with_features"]
