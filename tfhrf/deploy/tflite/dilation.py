"""Dilated convolutions of graphs in which the blocks of a dilation are batches.

TensorFlow's converter writes a dilation as SPACE_TO_BATCH_ND, a convolution without it, and
BATCH_TO_SPACE_ND where the number of examples is left open, or where convolutions share the blocks.
TFLM goes by the shapes of the file, which do not count the blocks in the first case, pads with what
its memory happens to hold, mostly 0, in place of the zero point, and has no 16-bit form.
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.pieces import like, like_values, pad, reshape
from tfhrf.deploy.tflite.schema import schema

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
ACTIVATIONS = ("RELU", "RELU6")
SQUARES = ("ADD", "MUL", "SQUARE")
RESHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def join_dilations(graph):
    """Makes dilated convolutions of those over blocks, and a PAD of what other blocks add.

    Returns whether the ModelT has changed.
    """
    subgraph = graph.subgraphs[0]
    found = [o for o in subgraph.operators if graphs.operator_name(graph, o) == "SPACE_TO_BATCH_ND"]
    changed = False
    for first in found:
        for chain in list(chains_from(graph, int(first.outputs[0]))):
            changed |= join(graph, [first, *chain])
        if any(operator is first for operator in subgraph.operators):
            changed |= pad_apart(graph, first)
    if changed:
        graphs.drop_unused_tensors(graph)
        graphs.drop_unused_codes(graph)
    return changed


def join(graph, chain):
    """Whether operators from SPACE_TO_BATCH_ND to BATCH_TO_SPACE_ND became a dilated convolution.

    What others read of the blocks stays.
    """
    first, last = chain[0], chain[-1]
    names = [graphs.operator_name(graph, operator) for operator in chain]
    place = next(i for i, name in enumerate(names) if name in CONVOLUTIONS)
    convolution = chain[place]
    if not is_plain(convolution.builtinOptions):
        return False
    values = [constant(graph, i) for i in (*first.inputs[1:], *last.inputs[1:])]
    if any(value is None for value in values):
        return False
    block, pads, other, crops = values
    if list(block) != list(other) or (pads < crops).any():
        return False
    x, y = int(first.inputs[0]), int(last.outputs[0])
    new = dilated(graph, convolution, x, y, block, pads - crops)
    subgraph = graph.subgraphs[0]
    at = graphs.position(subgraph, first)
    take_out(subgraph, chain[place:])
    subgraph.operators[at:at] = new
    for operator in reversed(chain[:place]):
        index = int(operator.outputs[0])
        if not graphs.neighbors(graph, index)[1] and index not in outputs_of(graph):
            take_out(subgraph, [operator])
    while absorb(graph, convolution, new[-1]):
        pass
    if new[-1] is not convolution:
        square_before(graph, new[-1])
    return True


def take_out(subgraph, gone):
    subgraph.operators = [o for o in subgraph.operators if all(o is not g for g in gone)]


def absorb(graph, convolution, last):
    """Whether a float convolution took over the bias or activation that follows, an operator.

    Args:
        graph: ModelT.
        convolution: its operator.
        last: operator that makes the tensor of its values: itself, or a RESHAPE behind it.
    """
    subgraph, y = graph.subgraphs[0], int(last.outputs[0])
    readers, options = graphs.neighbors(graph, y)[1], convolution.builtinOptions
    if len(readers) != 1 or y in outputs_of(graph) or options.fusedActivationFunction:
        return False
    reader, tensor = readers[0], subgraph.tensors[y]
    name = graphs.operator_name(graph, reader)
    if graphs.type_name(tensor) != "float32" or name not in ("ADD", *ACTIVATIONS):
        return False
    if name == "ADD":
        others = [i for i in reader.inputs if i != y]
        total = added_up(graph, [*convolution.inputs[2:], *others])
        if not others or total is None or len(total) != graphs.shape_of(tensor)[-1]:
            return False
        bias = graphs.add_constant(graph, total, f"{graphs.tensor_name(tensor)}/bias")
        convolution.inputs = [*convolution.inputs[:2], bias]
        options.fusedActivationFunction = reader.builtinOptions.fusedActivationFunction
    else:
        options.fusedActivationFunction = getattr(schema.ActivationFunctionType, name)
    last.outputs = list(reader.outputs)
    take_out(subgraph, [reader])
    return True


def square_before(graph, last):
    """Has floats of a RESHAPE that are added to, or multiplied by, themselves reshaped afterwards.

    The quantizer does that, too, but leaves the ranges where they were.
    """
    x, y = int(last.inputs[0]), int(last.outputs[0])
    tensors = graph.subgraphs[0].tensors
    if graphs.type_name(tensors[y]) != "float32":
        return
    for reader in graphs.neighbors(graph, y)[1]:
        if graphs.operator_name(graph, reader) not in SQUARES or {*reader.inputs} != {y}:
            continue
        (result,) = reader.outputs
        square = like(graph, int(result), "square", graphs.shape_of(tensors[x]))
        reader.inputs, reader.outputs = [x] * len(reader.inputs), [square]
        graphs.replace(graph, reader, [reader, reshape(graph, square, int(result))])
    if not graphs.neighbors(graph, y)[1] and y not in outputs_of(graph):
        take_out(graph.subgraphs[0], [last])


def added_up(graph, indices):
    """The sum of vectors that are constants, or None."""
    values = [constant(graph, index) for index in indices if index >= 0]
    if not values or any(v is None or v.ndim != 1 or v.shape != values[0].shape for v in values):
        return None
    return np.sum(values, axis=0, dtype=np.float32)


def chains_from(graph, index, before=()):
    """Lists of the operators behind a tensor of blocks as far as each BATCH_TO_SPACE_ND.

    In each is one convolution, whose values nothing else reads, and reshapes.
    """
    names = [graphs.operator_name(graph, operator) for operator in before]
    convolved = any(name in CONVOLUTIONS for name in names)
    readers = graphs.neighbors(graph, index)[1]
    if convolved and (len(readers) > 1 or index in outputs_of(graph)):
        return
    for reader in readers:
        name, chain = graphs.operator_name(graph, reader), [*before, reader]
        if reader.inputs[0] != index:
            continue
        if name == "BATCH_TO_SPACE_ND" and convolved:
            yield chain
        elif name in RESHAPES or (name in CONVOLUTIONS and not convolved):
            yield from chains_from(graph, int(reader.outputs[0]), chain)


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
