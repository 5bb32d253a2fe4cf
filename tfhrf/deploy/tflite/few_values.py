"""One scale for a kernel of few values, so that in integers, too, they are few.

The quantizer gives each output of a convolution, and in newer versions of Dense layers, a scale
of its own: what is one value of the float kernel becomes another integer in every channel. Here the
kernels that clustering made get one scale, which TensorFlow Lite Micro takes as well.
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs

# That four bits tell apart.
VALUES = 16
# Weights of a kernel: smaller ones gain nothing, and may have few values by chance.
LEAST = 256


def few_values(graph):
    """{number of a product: (kernel, bias if it has one)} of kernels of few values, in floats."""
    found = {}
    for number, operator in enumerate(products(graph)):
        indices = [int(index) for index in operator.inputs[1:3] if index >= 0]
        if not all(graphs.is_constant_float(graph, index) for index in indices):
            continue
        kernel, *bias = (graphs.constant_array(graph, index) for index in indices)
        if are_few(kernel):
            found[number] = (kernel, *bias)
    return found


def are_few(kernel):
    """Whether a kernel is large enough, and has few values."""
    return kernel.size >= LEAST and len(np.unique(kernel)) <= VALUES


def share_scales(graph, kernels):
    """Gives kernels of an int8 graph one scale each.

    Args:
        graph: ModelT of integers, which is changed.
        kernels: as of `few_values`, of the float graph.
    """
    tensors, operators = graph.subgraphs[0].tensors, products(graph)
    for number, (kernel, *bias) in kernels.items():
        x, weights, *rest = (int(index) for index in operators[number].inputs)
        if graphs.type_name(tensors[weights]) != "int8":
            continue
        scale = np.float32(max(np.abs(kernel).max() / 127, 1e-30))
        rewrite(graph, weights, np.round(kernel / scale).astype(np.int8), scale)
        if bias:
            unit = tensors[x].quantization.scale[0] * scale
            sums = np.round(bias[0] / np.float64(unit)).clip(-(2**31), 2**31 - 1)
            rewrite(graph, rest[0], sums.astype(np.int32), unit)


def products(graph):
    """The operators with a kernel, in order, which the quantizer leaves."""
    operators = graph.subgraphs[0].operators
    return [one for one in operators if graphs.operator_name(graph, one) in graphs.PRODUCTS]


def rewrite(graph, index, values, scale):
    """Gives a constant other values, and one scale."""
    tensors = graph.subgraphs[0].tensors
    tensor = tensors[index]
    if sum(other.buffer == tensor.buffer for other in tensors) > 1:
        graph.buffers.append(graphs.schema.BufferT())
        tensor.buffer = len(graph.buffers) - 1
    graph.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.zeros(1, np.int64)
    tensor.quantization.quantizedDimension = 0
