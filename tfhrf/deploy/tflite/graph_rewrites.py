"""Rewrites of float TensorFlow Lite graphs, so that TFLM can run them and needs less memory."""

import numpy as np

from tfhrf.deploy.tflite.graph import (
    add_constant,
    add_tensor,
    constant_values,
    drop_unused_codes,
    drop_unused_tensors,
    is_constant,
    make_operator,
    neighbors,
    operator_name,
    position,
    replace,
    shape_of,
    tensor_name,
    type_name,
)
from tfhrf.deploy.tflite.schema import schema

# Their outputs hold values of their inputs, so all of them share one scale.
MOVERS = {
    "BATCH_TO_SPACE_ND",
    "CONCATENATION",
    "DEPTH_TO_SPACE",
    "EXPAND_DIMS",
    "GATHER",
    "GATHER_ND",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MINIMUM",
    "MIRROR_PAD",
    "PACK",
    "PAD",
    "PADV2",
    "REDUCE_MAX",
    "REDUCE_MIN",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "REVERSE_V2",
    "SELECT_V2",
    "SLICE",
    "SPACE_TO_BATCH_ND",
    "SPACE_TO_DEPTH",
    "SPLIT",
    "SPLIT_V",
    "SQUEEZE",
    "STRIDED_SLICE",
    "TRANSPOSE",
    "UNPACK",
}
ACTIVATION_NAMES = {
    code: name for name, code in vars(schema.ActivationFunctionType).items() if name[0] != "_"
}
# The least score tensor of one head, in elements, for which computing head by head pays.
LEAST_SCORES = 1024


def slice_unequal_splits(graph):
    """Has slices take the place of each SPLIT_V of a graph, whose parts differ in length.

    TFLM's operators here have SPLIT for equal parts only. Parts that nothing reads vanish.
    """
    subgraph = graph.subgraphs[0]
    for split in [op for op in subgraph.operators if operator_name(graph, op) == "SPLIT_V"]:
        whole = subgraph.tensors[split.inputs[0]]
        axis = int(constant_values(graph, split.inputs[2])[0]) % len(shape_of(whole))
        new = []
        start = 0
        for index in split.outputs:
            shape = shape_of(subgraph.tensors[index])
            begin = [start if i == axis else 0 for i in range(len(shape))]
            start += shape[axis]
            name = tensor_name(subgraph.tensors[index])
            if neighbors(graph, index)[1] or index in subgraph.outputs:
                inputs = [
                    split.inputs[0],
                    add_constant(graph, np.array(begin, np.int32), f"{name}/begin"),
                    add_constant(graph, np.array(shape, np.int32), f"{name}/size"),
                ]
                options = schema.SliceOptionsT()
                new.append(make_operator(graph, "SLICE", options, inputs, [index]))
        replace(graph, split, new)
    drop_unused_tensors(graph)
    drop_unused_codes(graph)


def multiply_computed(graph):
    """Has BATCH_MATMUL, and its activation, take the place of FULLY_CONNECTED of computed weights.

    TFLM's 16-bit FULLY_CONNECTED takes 8-bit weights only.
    """
    subgraph = graph.subgraphs[0]
    for operator in [o for o in subgraph.operators if operator_name(graph, o) == "FULLY_CONNECTED"]:
        x, weights, *bias = operator.inputs
        result = operator.outputs[0]
        tensors = [subgraph.tensors[index] for index in (x, weights, result)]
        same_rank = len({len(shape_of(tensor)) for tensor in tensors}) == 1
        if is_constant(graph, tensors[1]) or any(index >= 0 for index in bias) or not same_rank:
            continue
        kind = ACTIVATION_NAMES[operator.builtinOptions.fusedActivationFunction]
        options = schema.BatchMatMulOptionsT()
        options.adjY = True
        new = [make_operator(graph, "BATCH_MATMUL", options, [x, weights], [result])]
        if kind != "NONE":
            name = f"{tensor_name(tensors[2])}/product"
            raw = add_tensor(graph, shape_of(tensors[2]), tensors[2].type, name)
            new[0].outputs = [raw]
            new.append(activate(graph, kind, raw, result))
        replace(graph, operator, new)
    drop_unused_codes(graph)


def rescale_bounds(graph):
    """Has a MUL by 1 with the same bounds take the place of RELU6 and RELU_N1_TO_1.

    TFLM's integer RELU6 does not rescale, its MUL does; for RELU_N1_TO_1 TFLM has no operator.
    """
    subgraph = graph.subgraphs[0]
    for operator in subgraph.operators:
        kind = operator_name(graph, operator)
        if kind not in ("RELU6", "RELU_N1_TO_1"):
            continue
        new = activate(graph, kind, operator.inputs[0], operator.outputs[0])
        replace(graph, operator, [new])
    drop_unused_codes(graph)


def activate(graph, kind, index, result):
    """A MUL by 1 with an activation."""
    options = schema.MulOptionsT()
    options.fusedActivationFunction = getattr(schema.ActivationFunctionType, kind)
    name = tensor_name(graph.subgraphs[0].tensors[result])
    one = add_constant(graph, np.ones((), np.float32), f"{name}/one")
    return make_operator(graph, "MUL", options, [index, one], [result])


def spare_arena(graph):
    """Rewrites the attention of a float graph, in place, so that TFLM needs less memory.

    The function stays the same. TFLM keeps a transposed copy of the right operand for each
    BATCH_MATMUL for good, unless the operand arrives transposed (`adj_y`); and the scores of
    all heads lie in the arena twice, before and after SOFTMAX, unless heads take turns.
    """
    subgraph = graph.subgraphs[0]
    for operator in [op for op in subgraph.operators if operator_name(graph, op) == "BATCH_MATMUL"]:
        if not operator.builtinOptions.adjY:
            transpose_right(graph, operator)
    for operator in [op for op in subgraph.operators if operator_name(graph, op) == "SOFTMAX"]:
        take_turns(graph, operator)
    drop_unused_tensors(graph)
    drop_unused_codes(graph)


def transpose_right(graph, operator):
    """Has a BATCH_MATMUL read its right operand transposed."""
    subgraph = graph.subgraphs[0]
    index = operator.inputs[1]
    right = subgraph.tensors[index]
    if is_constant(graph, right):
        return
    producer, consumers = neighbors(graph, index)
    shape = shape_of(right)
    order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    name = tensor_name(right)
    transposed = add_tensor(graph, [shape[i] for i in order], right.type, f"{name}/transposed")
    alone = len(consumers) == 1 and index not in subgraph.outputs
    if producer is not None and operator_name(graph, producer) == "TRANSPOSE" and alone:
        order = constant_values(graph, producer.inputs[1])[order].tolist()
        del subgraph.operators[position(subgraph, producer)]
        index = producer.inputs[0]
    if order == [*range(len(shape))]:
        transposed = index
    else:
        inputs = [index, add_constant(graph, np.array(order, np.int32), f"{name}/order")]
        new = make_operator(graph, "TRANSPOSE", schema.TransposeOptionsT(), inputs, [transposed])
        subgraph.operators.insert(position(subgraph, operator), new)
    operator.inputs = [operator.inputs[0], transposed]
    operator.builtinOptions.adjY = True


def take_turns(graph, softmax):
    """Computes the heads around a SOFTMAX one by one, if that makes the arena smaller."""
    found = attention_around(graph, softmax)
    if found is None:
        return
    scores, product, axis = found
    subgraph = graph.subgraphs[0]
    weights = subgraph.tensors[softmax.outputs[0]]
    name = tensor_name(weights)
    heads = shape_of(weights)[axis]

    def head_of(index, name):
        tensor = subgraph.tensors[index]
        shape = shape_of(tensor)
        shape[axis] = 1
        return add_tensor(graph, shape, weights.type, name)

    axis_index = add_constant(graph, np.array(axis, np.int32), f"{name}/axis")
    new = []
    parts = []
    for operand in (*scores.inputs, product.inputs[1]):
        operand_name = tensor_name(subgraph.tensors[operand])
        parts.append([head_of(operand, f"{operand_name}/head_{head}") for head in range(heads)])
        options = schema.SplitOptionsT()
        options.numSplits = heads
        new.append(make_operator(graph, "SPLIT", options, [axis_index, operand], parts[-1]))
    outputs = []
    steps = (("scores", scores), ("weights", softmax), ("output", product))
    for head, (left, right, value) in enumerate(zip(*parts, strict=True)):
        raw, weighted, outcome = (
            head_of(step.outputs[0], f"{name}/{part}_{head}") for part, step in steps
        )
        new += [
            make_operator(graph, "BATCH_MATMUL", scores.builtinOptions, [left, right], [raw]),
            make_operator(graph, "SOFTMAX", softmax.builtinOptions, [raw], [weighted]),
            make_operator(
                graph, "BATCH_MATMUL", product.builtinOptions, [weighted, value], [outcome]
            ),
        ]
        outputs.append(outcome)
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    new.append(make_operator(graph, "CONCATENATION", options, outputs, list(product.outputs)))
    replace(graph, product, new)
    for operator in (scores, softmax):
        del subgraph.operators[position(subgraph, operator)]


def attention_around(graph, softmax):
    """(product before a SOFTMAX, product behind it, axis of the heads), or None.

    None also where the heads, one by one, would take no less memory.
    """
    subgraph = graph.subgraphs[0]
    scores, consumers = neighbors(graph, softmax.inputs[0])
    _, readers = neighbors(graph, softmax.outputs[0])
    if scores is None or len(consumers) != 1 or len(readers) != 1:
        return None
    product = readers[0]
    if {operator_name(graph, scores), operator_name(graph, product)} != {"BATCH_MATMUL"}:
        return None
    if {softmax.inputs[0], softmax.outputs[0]} & set(subgraph.outputs):
        return None
    if product.inputs[0] != softmax.outputs[0] or product.inputs[1] == softmax.outputs[0]:
        return None
    operands = [*scores.inputs, product.inputs[1]]
    shapes = [shape_of(subgraph.tensors[index]) for index in operands]
    shape = shape_of(subgraph.tensors[softmax.outputs[0]])
    axis = len(shape) - 3
    if axis < 0 or any(s[: axis + 1] != shape[: axis + 1] for s in shapes):
        return None
    heads = shape[axis]
    elements = int(np.prod(shape))
    smaller = sum(int(np.prod(s)) for s in shapes)
    if heads == 1 or elements <= smaller or elements // heads < LEAST_SCORES:
        return None
    return scores, product, axis


def tied(graph):
    """Sets of tensors of a float graph that should have one scale once it is quantized."""
    subgraph = graph.subgraphs[0]
    group: dict[int, set[int]] = {}
    for operator in subgraph.operators:
        if operator_name(graph, operator) in MOVERS:
            members = {
                index
                for index in (*operator.inputs, *operator.outputs)
                if type_name(subgraph.tensors[index]) == "float32"
                and not is_constant(graph, subgraph.tensors[index])
            }
            members = members.union(*(group.get(index, ()) for index in members))
            group.update(dict.fromkeys(members, members))
    return list({id(members): members for members in group.values()}.values())
