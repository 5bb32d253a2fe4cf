"""Dilated convolutions of files in which the blocks of a dilation are batches.

Where the number of examples is left open, TensorFlow's converter writes a dilation as
SPACE_TO_BATCH_ND, a convolution without it, and BATCH_TO_SPACE_ND. TFLM goes by the shapes of the
file, which do not count the blocks then, and pads with 0 in place of the zero point.
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.pieces import like_values, pad, reshape
from tfhrf.deploy.tflite.schema import schema

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
RESHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def join_dilations(graph):
    """Makes dilated convolutions of those over blocks, and a PAD of what other blocks add.

    Returns whether the ModelT has changed.
    """
    operators = graph.subgraphs[0].operators
    found = [op for op in operators if graphs.operator_name(graph, op) == "SPACE_TO_BATCH_ND"]
    changed = [join(graph, operator) or pad_apart(graph, operator) for operator in found]
    if any(changed):
        graphs.drop_unused_tensors(graph)
        graphs.drop_unused_codes(graph)
    return any(changed)


def join(graph, first):
    """Whether a SPACE_TO_BATCH_ND was the beginning of a dilated convolution, which it now is."""
    chain = chain_from(graph, first)
    convolution = next((o for o in chain if graphs.operator_name(graph, o) in CONVOLUTIONS), None)
    if convolution is None or not is_plain(convolution.builtinOptions):
        return False
    values = [constant(graph, i) for i in (*first.inputs[1:], *chain[-1].inputs[1:])]
    if any(value is None for value in values):
        return False
    block, pads, other, crops = values
    if list(block) != list(other) or (pads < crops).any():
        return False
    x, y = int(first.inputs[0]), int(chain[-1].outputs[0])
    new = dilated(graph, convolution, x, y, block, pads - crops)
    subgraph, gone = graph.subgraphs[0], [first, *chain]
    at = graphs.position(subgraph, first)
    subgraph.operators = [o for o in subgraph.operators if all(o is not g for g in gone)]
    subgraph.operators[at:at] = new
    return True


def chain_from(graph, first):
    """Operators behind a SPACE_TO_BATCH_ND, as far as BATCH_TO_SPACE_ND; none if there are others.

    One of them at most is a convolution.
    """
    chain: list = []
    index, names = int(first.outputs[0]), [""]
    while names[-1] != "BATCH_TO_SPACE_ND":
        readers = graphs.neighbors(graph, index)[1]
        if len(readers) != 1 or readers[0].inputs[0] != index or index in outputs_of(graph):
            return []
        chain.append(readers[0])
        names.append(graphs.operator_name(graph, readers[0]))
        if names[-1] not in (*CONVOLUTIONS, *RESHAPES, "BATCH_TO_SPACE_ND"):
            return []
        index = int(readers[0].outputs[0])
    return chain if sum(name in CONVOLUTIONS for name in names) == 1 else []


def outputs_of(graph):
    return [int(index) for index in graph.subgraphs[0].outputs]


def is_plain(options):
    """Whether a convolution has neither strides nor dilation nor padding."""
    factors = (options.dilationHFactor, options.dilationWFactor)
    strides = (options.strideH, options.strideW)
    return (*strides, *factors) == (1, 1, 1, 1) and options.padding == schema.Padding.VALID


def dilated(graph, convolution, x, y, block, amounts):
    """Operators that make tensor y of tensor x: a convolution, which is changed, with dilation.

    Args:
        graph: ModelT.
        convolution: whose output's values have the scale of y.
        x, y: indices of tensors of shape (batch, frames, channels) or (batch, lines, columns,
            channels).
        block: dilation of each axis.
        amounts: (before, after) of each axis, which are added to x.
    """
    tensors = graph.subgraphs[0].tensors
    kernel = graphs.shape_of(tensors[convolution.inputs[1]])[1:3]
    image, result = graphs.shape_of(tensors[x]), graphs.shape_of(tensors[y])
    dilation, padding = np.ones(2, int), np.zeros((2, 2), int)
    axes = slice(None)
    new, narrow = [], len(image) == 3
    if narrow:
        # Frames are columns of one line, or lines of one column.
        place = 1 if kernel[0] == 1 else 2
        axes = slice(2 - place, 3 - place)
        image, result = ([*shape[:place], 1, *shape[place:]] for shape in (image, result))
        new.append(reshape(graph, x, like_values(graph, x, image)))
        x = new[0].outputs[0]
    dilation[axes], padding[axes] = block, amounts
    reach = (np.array(kernel) - 1) * dilation
    same = padding.T.tolist() == [(reach // 2).tolist(), (reach - reach // 2).tolist()]
    if padding.any() and not same:
        whole = np.array([(0, 0), *padding, (0, 0)], np.int32)
        padded = like_values(graph, x, [int(n) for n in np.add(image, whole.sum(axis=1))])
        new.append(pad(graph, x, whole, padded))
        x = padded
    options = convolution.builtinOptions
    options.padding = schema.Padding.SAME if same else schema.Padding.VALID
    options.dilationHFactor, options.dilationWFactor = map(int, dilation)
    convolution.inputs[0] = x
    convolution.outputs = [like_values(graph, y, result) if narrow else y]
    last = [reshape(graph, convolution.outputs[0], y)] if narrow else []
    return [*new, convolution, *last]


def pad_apart(graph, operator):
    """Whether a SPACE_TO_BATCH_ND added zeros, which a PAD before it now does."""
    x, block, amounts = (int(index) for index in operator.inputs)
    values = constant(graph, amounts)
    if values is None or not values.any():
        return False
    shape = graphs.shape_of(graph.subgraphs[0].tensors[x])
    whole = np.zeros((len(shape), 2), np.int32)
    whole[1 : 1 + len(values)] = values
    padded = like_values(graph, x, [int(n) for n in np.add(shape, whole.sum(axis=1))])
    none = graphs.add_constant(graph, np.zeros_like(values, np.int32), "no_padding")
    operator.inputs = [padded, block, none]
    graphs.replace(graph, operator, [pad(graph, x, whole, padded), operator])
    return True


def constant(graph, index):
    """A constant's array, or None."""
    if not graphs.is_constant(graph, graph.subgraphs[0].tensors[index]):
        return None
    return graphs.constant_array(graph, index)
