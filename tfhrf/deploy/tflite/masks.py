"""Masks of padded frames, as Masking and Embedding make them, without what TFLM lacks for booleans.

A frame counts where any of its values differs from zero. Until something chooses by it, a mask is
the largest absolute value of the frame, which moves as other values do; there it is compared. Of
tokens, of which 0 does not count, it is a row of a table of zero and ones.
"""

import numpy as np

from tfhrf.deploy.tflite.graph import (
    add_constant,
    constant_array,
    drop_unread,
    drop_unused_codes,
    drop_unused_tensors,
    is_constant,
    is_constant_float,
    make_operator,
    neighbors,
    operator_name,
    replace,
    token_count,
    type_name,
)
from tfhrf.deploy.tflite.pieces import binary, like, unary
from tfhrf.deploy.tflite.schema import schema

MOVERS = {"RESHAPE", "REVERSE_V2", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK"}
# Of absolute values both are above zero, or one of them is.
OF_TWO = {"LOGICAL_AND": "MINIMUM", "LOGICAL_OR": "MAXIMUM"}


def carry_masks(graph):
    """Has floats take the place of the booleans of masks, in a float graph."""
    subgraph = graph.subgraphs[0]
    masks: set[int] = set()
    for operator in list(subgraph.operators):
        name = operator_name(graph, operator)
        read = [int(index) for index in operator.inputs]
        source = masked(graph, operator) if name == "REDUCE_ANY" else None
        tokens = tokens_that_count(graph, operator) if name == "NOT_EQUAL" else 0
        if tokens:
            table = add_constant(graph, np.arange(tokens).clip(0, 1).astype(np.float32), "counts")
            sides = [table, read[0]]
            new = make_operator(graph, "GATHER", schema.GatherOptionsT(), sides, operator.outputs)
            replace(graph, operator, [new])
        elif source is not None:
            size = like(graph, source, "size")
            ends = [size, read[1]], operator.outputs
            largest = make_operator(graph, "REDUCE_MAX", operator.builtinOptions, *ends)
            replace(graph, operator, [unary(graph, "ABS", source, size), largest])
        elif name in OF_TWO and masks & {*read} and all(carried(graph, masks, i) for i in read):
            sides = [i if i in masks else as_floats(graph, i) for i in read]
            new = make_operator(graph, OF_TWO[name], None, sides, operator.outputs)
            replace(graph, operator, [new])
        elif name not in MOVERS or read[0] not in masks:
            compare(graph, operator, masks & {*read})
            continue
        masks |= {int(index) for index in operator.outputs}
    for index in masks:
        subgraph.tensors[index].type = schema.TensorType.FLOAT32
    drop_unread(graph)
    drop_unused_tensors(graph)
    drop_unused_codes(graph)


def masked(graph, any_differs):
    """The tensor of which a REDUCE_ANY tells where it differs from zero, or None."""
    unequal = neighbors(graph, any_differs.inputs[0])[0]
    if unequal is None or operator_name(graph, unequal) != "NOT_EQUAL":
        return None
    source, zero = map(int, unequal.inputs)
    if not is_constant_float(graph, zero) or constant_array(graph, zero).any():
        return None
    return source


def tokens_that_count(graph, unequal):
    """How many tokens there are of which a NOT_EQUAL tells 0 from the others, or 0."""
    source, zero = map(int, unequal.inputs)
    tensors = graph.subgraphs[0].tensors
    if type_name(tensors[source]) != "int32" or not is_constant(graph, tensors[zero]):
        return 0
    return 0 if constant_array(graph, zero).any() else token_count(graph, source)


def carried(graph, masks, index):
    return index in masks or is_constant(graph, graph.subgraphs[0].tensors[index])


def as_floats(graph, index):
    """A constant of floats like one of booleans."""
    return add_constant(graph, constant_array(graph, index).astype(np.float32), "mask")


def compare(graph, operator, masks):
    """Has an operator read booleans that comparing masks, still of that type, makes."""
    for mask in masks:
        compared = like(graph, mask, "compared")
        new = binary(graph, "GREATER", mask, 0.0, compared)
        operator.inputs = [compared if int(i) == mask else int(i) for i in operator.inputs]
        replace(graph, operator, [new, operator])
