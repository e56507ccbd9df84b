"""Networks as ONNX graphs: one small function for each kind of layer, and its entry in `LAYERS`.

Images go through the graph with their bands first, as ONNX has them: a Keras tensor
(n, y, x, channels) is one of (n, channels, y, x) there.
"""
import numpy as np

from astromorph.distribution import missing
from astromorph.errors import wrong
from astromorph.networks.backend import check_process, keras, plain_settings

__all__ = ["LAYERS", "OPSET", "Graph", "add_network", "import_onnx"]

OPSET = 17
"""Version of the ONNX operators: that of 2022, which every runtime has (int)."""


def import_onnx():
    """Import the onnx package.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If it is not installed; the message says how to get it.
    """
    try:
        import onnx
    except ImportError as error:
        raise missing("The export of a network", "onnx", "onnx") from error
    return onnx


class Graph:
    """An ONNX graph that is being made."""

    def __init__(self):
        self.onnx = import_onnx()
        self.nodes, self.constants = [], []

    def add(self, operator, *inputs, output=None, **attributes):
        """Add a node of one output.

        Parameters
        ----------
        operator : str
            Name of the ONNX operator.
        *inputs : str or array-like
            Names of tensors, or constants.
        output : str, optional
            Name of what comes out.
        **attributes
            Of the operator.

        Returns
        -------
        str
            Name of what comes out.
        """
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        output = output or f"{operator.lower()}.{len(self.nodes)}"  # no column has a point
        self.nodes.append(self.onnx.helper.make_node(operator, names, [output], **attributes))
        return output

    def constant(self, values):
        """Add a constant.

        Parameters
        ----------
        values : array-like

        Returns
        -------
        str
            Its name.
        """
        name = f"constant.{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def cast(self, name, kind, **options):
        """Change the type of numbers.

        Parameters
        ----------
        name : str
            A tensor.
        kind : str
            ``"FLOAT"`` or ``"DOUBLE"``.
        **options
            As for `add`.

        Returns
        -------
        str
        """
        return self.add("Cast", name, to=getattr(self.onnx.TensorProto, kind), **options)


def add_network(graph, model, pixels):
    """Add a network to a graph.

    Parameters
    ----------
    graph : Graph
    model : `keras.Model`
        Made of layers in `LAYERS`.
    pixels : str
        Name of its input, (n, y, x, channels).

    Returns
    -------
    list of str
        Names of its outputs.

    Raises
    ------
    ArgumentError
        If it has a layer of another kind.
    """
    check_process()
    with plain_settings():
        return _add_model(graph, model, [graph.add("Transpose", pixels, perm=[0, 3, 1, 2])])


def _add_model(graph, model, inputs):
    """A model, or one that is a layer of another one."""
    names, alive = {}, []

    def call(layer, *arguments, **options):
        outputs = layer(*arguments, **options)
        given = arguments[0] if isinstance(arguments[0], (list, tuple)) else arguments[:1]
        into = [names[id(tensor)] for tensor in given]
        own = model.get_layer(layer.name)  # the layer of the clone has other weights
        made = (_add_model(graph, own, into) if isinstance(own, keras.Model) and _is_own(own)
                else [_function(own)(graph, own, into, given)])
        names.update(zip(map(id, _as_list(outputs)), made, strict=True))
        alive.append(outputs)  # so that no other tensor gets its id
        return outputs

    # A copy is called, layer by layer, so that the model itself stays as it is.
    plain = keras.Model(model.inputs, model.outputs)
    begin = keras.Input(batch_shape=model.inputs[0].shape)
    names[id(begin)] = inputs[0]
    clone = keras.models.clone_model(plain, input_tensors=[begin], call_function=call)
    return [names[id(tensor)] for tensor in clone.outputs]


def _as_list(tensors):
    return tensors if isinstance(tensors, (list, tuple)) else [tensors]


def _is_own(layer):
    """Whether a layer is one of Keras itself: a subclass of it may do anything."""
    return type(layer).__module__.startswith("keras.")


def _function(layer):
    known = LAYERS.get(type(layer)) or (LAYERS.get(type(layer).__name__) if _is_own(layer)
                                        else None)
    if known is None:
        raise wrong("network", f"one made of the layers {', '.join(map(str, LAYERS))}, for ONNX",
                    f"{layer.name!r}, a {type(layer).__name__}",
                    "Put a function for the class into astromorph.networks.onnx_graph.LAYERS.")
    return known


def _same(graph, layer, inputs, tensors):
    return inputs[0]


def _convolution(graph, layer, inputs, tensors):
    kernel = layer.kernel.numpy().transpose(3, 2, 0, 1)
    return _convolved(graph, layer, inputs, tensors, kernel, layer.groups)


def _depthwise(graph, layer, inputs, tensors):
    kernel = layer.kernel.numpy().transpose(2, 3, 0, 1)  # channel, multiplier, y, x
    groups, multiplier, *width = kernel.shape
    return _convolved(graph, layer, inputs, tensors,
                      kernel.reshape(groups * multiplier, 1, *width), groups)


def _convolved(graph, layer, inputs, tensors, kernel, groups):
    _check_order(layer)
    bias = [layer.bias.numpy()] if layer.use_bias else []
    name = graph.add("Conv", *inputs, kernel, *bias, group=groups, strides=list(layer.strides),
                     dilations=list(layer.dilation_rate),
                     pads=_pads(layer, tensors[0], kernel.shape[2:], layer.dilation_rate))
    return _activated(graph, layer.activation, name)


def _pooling(operator, **attributes):
    def add(graph, layer, inputs, tensors):
        _check_order(layer)
        return graph.add(operator, *inputs, kernel_shape=list(layer.pool_size),
                         strides=list(layer.strides), **attributes,
                         pads=_pads(layer, tensors[0], layer.pool_size, (1, 1)))
    return add


def _check_order(layer):
    if layer.data_format != "channels_last":
        raise wrong("network", "layers that have the channels last, for ONNX", repr(layer.name))


def _pads(layer, tensor, width, dilation):
    """Pixels before and after each axis: as many as keep the size, the odd one after."""
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    total = [max((-(-size // stride) - 1) * stride + (side - 1) * step + 1 - size, 0)
             for size, stride, side, step in zip(tensor.shape[1:3], layer.strides, width, dilation)]
    return [each // 2 for each in total] + [each - each // 2 for each in total]


def _normalization(graph, layer, inputs, tensors):
    if layer.axis not in (-1, len(tensors[0].shape) - 1):
        raise wrong("network", "channels that are normalized, for ONNX", repr(layer.name))
    mean = layer.moving_mean.numpy()
    return graph.add("BatchNormalization", *inputs,
                     layer.gamma.numpy() if layer.scale else np.ones_like(mean),
                     layer.beta.numpy() if layer.center else np.zeros_like(mean),
                     mean, layer.moving_variance.numpy(), epsilon=float(layer.epsilon))


def _relu(graph, layer, inputs, tensors):
    if layer.threshold or layer.negative_slope:
        raise wrong("network", "ReLU layers of neither threshold nor slope, for ONNX",
                    repr(layer.name))
    if layer.max_value is None:
        return graph.add("Relu", *inputs)
    return graph.add("Clip", *inputs, np.float32(0), np.float32(layer.max_value))


def _dense(graph, layer, inputs, tensors):
    if len(tensors[0].shape) != 2:
        raise wrong("network", "dense layers of vectors, for ONNX", repr(layer.name))
    bias = [layer.bias.numpy()] if layer.use_bias else []
    return _activated(graph, layer.activation,
                      graph.add("Gemm", *inputs, layer.kernel.numpy(), *bias))


def _activation(graph, layer, inputs, tensors):
    return _activated(graph, layer.activation, inputs[0])


def _sigmoid(graph, name):
    """In double precision, so that probabilities near 0 and 1 are right in all their digits."""
    return graph.cast(graph.add("Sigmoid", graph.cast(name, "DOUBLE")), "FLOAT")


ACTIVATIONS = {"linear": lambda graph, name: name, "sigmoid": _sigmoid,
               "relu": lambda graph, name: graph.add("Relu", name),
               "relu6": lambda graph, name: graph.add("Clip", name, np.float32(0), np.float32(6)),
               "silu": lambda graph, name: graph.add("Mul", name, _sigmoid(graph, name)),
               "tanh": lambda graph, name: graph.add("Tanh", name)}


def _activated(graph, activation, name):
    known = getattr(activation, "__name__", repr(activation))
    if known not in ACTIVATIONS or getattr(keras.activations, known, None) is not activation:
        raise wrong("network", f"activations among {', '.join(ACTIVATIONS)}, for ONNX", known)
    return ACTIVATIONS[known](graph, name)


def _flattened(graph, layer, inputs, tensors):
    if len(tensors[0].shape) == 4:  # in the order of Keras
        inputs = [graph.add("Transpose", *inputs, perm=[0, 2, 3, 1])]
    return graph.add("Flatten", *inputs)


def _average(graph, layer, inputs, tensors):
    return graph.add("ReduceMean", *inputs, axes=[2, 3], keepdims=int(layer.keepdims))


def _rescaling(graph, layer, inputs, tensors):
    scaled = graph.add("Mul", *inputs, np.float32(layer.scale))
    return graph.add("Add", scaled, np.float32(layer.offset))


def _concatenated(graph, layer, inputs, tensors):
    rank = len(tensors[0].shape)
    if layer.axis not in (-1, rank - 1):
        raise wrong("network", "channels that are put side by side, for ONNX", repr(layer.name))
    return graph.add("Concat", *inputs, axis=1)


LAYERS = {
    "Conv2D": _convolution, "DepthwiseConv2D": _depthwise, "Dense": _dense,
    "BatchNormalization": _normalization, "ReLU": _relu, "Activation": _activation,
    "MaxPooling2D": _pooling("MaxPool"), "AveragePooling2D": _pooling("AveragePool"),
    "GlobalAveragePooling2D": _average, "Flatten": _flattened, "Rescaling": _rescaling,
    "Concatenate": _concatenated, "Dropout": _same,
    "Add": lambda graph, layer, inputs, tensors: graph.add("Sum", *inputs),
}
"""Name of a Keras layer, or a class of your own -> what adds it to a graph (`dict`).

It takes the `Graph`, the layer, the names of its inputs and their Keras tensors, and gives the name
of its output.
"""
