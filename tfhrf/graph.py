"""TensorFlow Lite graphs as Python objects: what TFLM can run, and rewrites that spare its arena.

A graph is a `ModelT` of TensorFlow's own flatbuffer schema with one subgraph.
"""

import collections

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

ALL = frozenset({"float32", "int8", "int16"})
EIGHT_BITS = frozenset({"float32", "int8"})

# What TensorFlow Lite Micro runs: the resolver's method for each operator, and the types of the
# operator's first output. The tests run each of them in the tflite-micro interpreter. RELU6,
# MAXIMUM and SUM are left out: TFLM has them, but integer kernels of theirs do not rescale.
OPERATORS = {
    "ADD": ("AddAdd", ALL),
    "AVERAGE_POOL_2D": ("AddAveragePool2D", ALL),
    "BATCH_MATMUL": ("AddBatchMatMul", ALL),
    "CONCATENATION": ("AddConcatenation", ALL),
    "CONV_2D": ("AddConv2D", ALL),
    "DEPTHWISE_CONV_2D": ("AddDepthwiseConv2D", ALL),
    "DIV": ("AddDiv", EIGHT_BITS),
    "EXP": ("AddExp", frozenset({"float32"})),
    "FULLY_CONNECTED": ("AddFullyConnected", ALL),
    "GATHER": ("AddGather", EIGHT_BITS),
    "HARD_SWISH": ("AddHardSwish", EIGHT_BITS),
    "LEAKY_RELU": ("AddLeakyRelu", ALL),
    "LOGISTIC": ("AddLogistic", ALL),
    "MAX_POOL_2D": ("AddMaxPool2D", ALL),
    "MEAN": ("AddMean", ALL),
    "MUL": ("AddMul", ALL),
    "NEG": ("AddNeg", frozenset({"float32"})),
    "PACK": ("AddPack", ALL),
    "PAD": ("AddPad", ALL),
    "QUANTIZE": ("AddQuantize", frozenset({"int8", "int16"})),
    "RELU": ("AddRelu", ALL),
    "REDUCE_MAX": ("AddReduceMax", EIGHT_BITS),
    "RESHAPE": ("AddReshape", ALL),
    "RSQRT": ("AddRsqrt", ALL),
    "SLICE": ("AddSlice", ALL),
    "SOFTMAX": ("AddSoftmax", ALL),
    "SPLIT": ("AddSplit", ALL),
    "SQUARED_DIFFERENCE": ("AddSquaredDifference", ALL),
    "STRIDED_SLICE": ("AddStridedSlice", ALL),
    "SUB": ("AddSub", ALL),
    "TANH": ("AddTanh", ALL),
    "TRANSPOSE": ("AddTranspose", ALL),
}

OPERATOR_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
TYPE_NAMES = {
    code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")
}
# Their outputs hold values of their inputs, so all of them share one scale.
MOVERS = {
    "CONCATENATION",
    "GATHER",
    "MAX_POOL_2D",
    "PACK",
    "PAD",
    "RESHAPE",
    "SLICE",
    "SPLIT",
    "STRIDED_SLICE",
    "TRANSPOSE",
}
# The least score tensor of one head, in elements, for which computing head by head pays.
LEAST_SCORES = 1024


def read(content):
    """bytes -> ModelT; ValueError if they are no .tflite file."""
    if not isinstance(content, (bytes, bytearray)):
        raise ValueError(
            f"The bytes of a .tflite file are needed. Received: {type(content).__name__}"
        )
    if bytes(content[4:8]) != b"TFL3":
        raise ValueError(
            "These bytes are no .tflite file (identifier TFL3). "
            f"Received: {len(content)} bytes that begin with {bytes(content[:8])!r}"
        )
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(content), 0))


def write(graph):
    """ModelT -> bytes."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(graph.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator_name(graph, operator):
    code = graph.operatorCodes[operator.opcodeIndex]
    return OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]


def type_name(tensor):
    return TYPE_NAMES[tensor.type]


def tensor_name(tensor):
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


def shape_of(tensor):
    return [] if tensor.shape is None else [int(n) for n in tensor.shape]


def is_constant(graph, tensor):
    data = graph.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def constant_values(graph, index):
    """The values of a constant tensor of 32-bit integers."""
    data = graph.buffers[graph.subgraphs[0].tensors[index].buffer].data
    return np.frombuffer(bytes(data), np.int32)


def operators_used(graph):
    """Sorted names of the operators in a graph."""
    return sorted({operator_name(graph, op) for op in graph.subgraphs[0].operators})


def check(graph, integer, name_layer=lambda name: "", becomes=None):
    """Raises ValueError naming operator and tensor unless TFLM can run the graph.

    Args:
        graph: ModelT.
        integer: whether all values must be integers.
        name_layer: maps a tensor's name to words that say which layer it belongs to.
        becomes: type that the floats of the graph are going to be quantized to, or None.
    """
    if len(graph.subgraphs) != 1:
        raise ValueError(
            "TensorFlow Lite Micro graphs made here have one subgraph, no control flow. "
            f"Received: {len(graph.subgraphs)} subgraphs"
        )
    for operator in graph.subgraphs[0].operators:
        # What stands between DEQUANTIZE and QUANTIZE is to be named, not these.
        if integer and operator_name(graph, operator) != "DEQUANTIZE":
            check_integer(graph, operator, name_layer)
    for operator in graph.subgraphs[0].operators:
        check_operator(graph, operator, name_layer, becomes)
        if integer:
            check_integer(graph, operator, name_layer)


def locate(graph, operator, name_layer):
    """(words that say where an operator stands, words that describe its first output)."""
    output = graph.subgraphs[0].tensors[operator.outputs[0]]
    name = tensor_name(output)
    return (
        f"{name_layer(name)}operator {operator_name(graph, operator)}",
        f"Received: tensor '{name}' of type {type_name(output)}",
    )


def check_integer(graph, operator, name_layer):
    where, received = locate(graph, operator, name_layer)
    if any("float" in type_name(graph.subgraphs[0].tensors[i]) for i in operator.outputs):
        raise ValueError(f"A float is left in an integer graph: {where}. {received}")


def check_operator(graph, operator, name_layer, becomes):
    subgraph = graph.subgraphs[0]
    name = operator_name(graph, operator)
    where, received = locate(graph, operator, name_layer)
    if name not in OPERATORS:
        hint = "; use relu or silu" if name == "GELU" else ""
        raise ValueError(f"TensorFlow Lite Micro has no {name}{hint}: {where}. {received}")
    kind = type_name(subgraph.tensors[operator.outputs[0]])
    wanted = becomes if becomes and kind == "float32" else kind
    if wanted in ALL and wanted not in OPERATORS[name][1]:
        raise ValueError(f"TensorFlow Lite Micro has no {name} for {wanted}: {where}. {received}")
    for index in (*operator.inputs, *operator.outputs):
        tensor = subgraph.tensors[index]
        if index >= 0 and kind == "float32" and type_name(tensor) == "int8":
            raise ValueError(
                f"TensorFlow Lite Micro has no 8-bit weights with float values: {where}. {received}"
            )
        signature = tensor.shapeSignature
        lengths = [*shape_of(tensor), *([] if signature is None else signature)]
        if index >= 0 and min(lengths, default=1) < 1:
            raise ValueError(
                f"A shape is not static: {where}. Received: tensor '{tensor_name(tensor)}' of "
                f"shape {shape_of(tensor)}"
            )


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
        at = position(subgraph, split)
        subgraph.operators[at : at + 1] = new
    drop_unused_tensors(graph)
    drop_unused_codes(graph)


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
    subgraph = graph.subgraphs[0]
    scores, consumers = neighbors(graph, softmax.inputs[0])
    _, readers = neighbors(graph, softmax.outputs[0])
    if scores is None or len(consumers) != 1 or len(readers) != 1:
        return
    product = readers[0]
    if {operator_name(graph, scores), operator_name(graph, product)} != {"BATCH_MATMUL"}:
        return
    if {softmax.inputs[0], softmax.outputs[0]} & set(subgraph.outputs):
        return
    if product.inputs[0] != softmax.outputs[0] or product.inputs[1] == softmax.outputs[0]:
        return
    operands = [*scores.inputs, product.inputs[1]]
    shapes = [shape_of(subgraph.tensors[index]) for index in operands]
    shape = shape_of(subgraph.tensors[softmax.outputs[0]])
    axis = len(shape) - 3
    if axis < 0 or any(s[: axis + 1] != shape[: axis + 1] for s in shapes):
        return
    heads = shape[axis]
    elements = int(np.prod(shape))
    smaller = sum(int(np.prod(s)) for s in shapes)
    if heads == 1 or elements <= smaller or elements // heads < LEAST_SCORES:
        return
    name = tensor_name(subgraph.tensors[softmax.outputs[0]])
    float32 = subgraph.tensors[softmax.outputs[0]].type
    axis_index = add_constant(graph, np.array(axis, np.int32), f"{name}/axis")
    new = []
    parts = []
    for operand, operand_shape in zip(operands, shapes, strict=True):
        operand_name = tensor_name(subgraph.tensors[operand])
        part_shape = [*operand_shape[:axis], 1, *operand_shape[axis + 1 :]]
        parts.append(
            [
                add_tensor(graph, part_shape, float32, f"{operand_name}/head_{head}")
                for head in range(heads)
            ]
        )
        options = schema.SplitOptionsT()
        options.numSplits = heads
        new.append(make_operator(graph, "SPLIT", options, [axis_index, operand], parts[-1]))
    outputs = []
    result = subgraph.tensors[product.outputs[0]]
    head_scores_shape = [*shape[:axis], 1, *shape[axis + 1 :]]
    head_result_shape = [*shape_of(result)[:axis], 1, *shape_of(result)[axis + 1 :]]
    for head, (left, right, value) in enumerate(zip(*parts, strict=True)):
        raw, weights, outcome = (
            add_tensor(graph, head_shape, float32, f"{name}/{part}_{head}")
            for head_shape, part in (
                (head_scores_shape, "scores"),
                (head_scores_shape, "weights"),
                (head_result_shape, "output"),
            )
        )
        new += [
            make_operator(graph, "BATCH_MATMUL", scores.builtinOptions, [left, right], [raw]),
            make_operator(graph, "SOFTMAX", softmax.builtinOptions, [raw], [weights]),
            make_operator(
                graph, "BATCH_MATMUL", product.builtinOptions, [weights, value], [outcome]
            ),
        ]
        outputs.append(outcome)
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    new.append(make_operator(graph, "CONCATENATION", options, outputs, list(product.outputs)))
    at = position(subgraph, product)
    subgraph.operators[at : at + 1] = new
    for operator in (scores, softmax):
        del subgraph.operators[position(subgraph, operator)]


def drop_unused_tensors(graph):
    """Removes tensors that no operator touches: TFLM would give them memory."""
    subgraph = graph.subgraphs[0]
    lists = [op.inputs for op in subgraph.operators] + [op.outputs for op in subgraph.operators]
    lists += [subgraph.inputs, subgraph.outputs]
    used = sorted({int(index) for indices in lists for index in indices if index >= 0})
    new = {-1: -1, **{old: i for i, old in enumerate(used)}}
    subgraph.tensors = [subgraph.tensors[index] for index in used]
    subgraph.inputs = [new[index] for index in subgraph.inputs]
    subgraph.outputs = [new[index] for index in subgraph.outputs]
    for operator in subgraph.operators:
        operator.inputs = [new[index] for index in operator.inputs]
        operator.outputs = [new[index] for index in operator.outputs]
    for signature in graph.signatureDefs or ():
        for entry in (*(signature.inputs or ()), *(signature.outputs or ())):
            entry.tensorIndex = new[entry.tensorIndex]


def drop_names(graph):
    """Empties the names of all tensors but inputs and outputs: they would lie in flash."""
    subgraph = graph.subgraphs[0]
    for index in {*range(len(subgraph.tensors))} - {*subgraph.inputs, *subgraph.outputs}:
        subgraph.tensors[index].name = ""


def drop_unused_codes(graph):
    """Removes entries of the operator table that no operator has: TFLM would look for them."""
    operators = graph.subgraphs[0].operators
    used = sorted({operator.opcodeIndex for operator in operators})
    graph.operatorCodes = [graph.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


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


def position(subgraph, operator):
    return next(i for i, other in enumerate(subgraph.operators) if other is operator)


def neighbors(graph, index):
    """(operator that writes a tensor or None, operators that read it)."""
    operators = graph.subgraphs[0].operators
    producer = next((op for op in operators if index in op.outputs), None)
    return producer, [op for op in operators if index in op.inputs]


def add_tensor(graph, shape, kind, name, buffer=0):
    """Index of a new tensor."""
    tensor = schema.TensorT()
    tensor.shape = np.array(shape, np.int32)
    tensor.type = kind
    tensor.buffer = buffer
    tensor.name = name
    tensor.hasRank = True
    graph.subgraphs[0].tensors.append(tensor)
    return len(graph.subgraphs[0].tensors) - 1


def add_constant(graph, values, name):
    """Index of a new constant tensor of integers."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    graph.buffers.append(buffer)
    return add_tensor(
        graph, values.shape, schema.TensorType.INT32, name, buffer=len(graph.buffers) - 1
    )


def make_operator(graph, name, options, inputs, outputs):
    code = getattr(schema.BuiltinOperator, name)
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in graph.operatorCodes]
    if code not in codes:
        entry = schema.OperatorCodeT()
        entry.builtinCode = code
        entry.deprecatedBuiltinCode = min(code, 127)
        entry.version = 1
        graph.operatorCodes.append(entry)
        codes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = codes.index(code)
    operator.inputs = inputs
    operator.outputs = outputs
    operator.builtinOptions = options
    operator.builtinOptionsType = getattr(
        schema.BuiltinOptions, type(options).__name__.removesuffix("T")
    )
    return operator


def peak_bytes(graph):
    """Bytes of all tensors and scratch buffers in TFLM's greedy memory plan.

    TFLM places the largest buffer first, of equal ones the last, each in the lowest gap.
    Constants are left out; they stay in flash.
    """
    subgraph = graph.subgraphs[0]
    last = len(subgraph.operators)
    first_use = dict.fromkeys(map(int, subgraph.inputs), 0)
    last_use = collections.defaultdict(int, dict.fromkeys(map(int, subgraph.outputs), last))
    for step, operator in enumerate(subgraph.operators):
        for index in operator.outputs:
            first_use.setdefault(index, step)
            last_use[index] = max(last_use[index], step)
        for index in operator.inputs:
            last_use[index] = max(last_use[index], step)
    buffers = [
        (round_up(tensor_bytes(subgraph.tensors[index])), index, first_use[index], last_use[index])
        for index in first_use
    ]
    for step, operator in enumerate(subgraph.operators):
        if operator_name(graph, operator) == "MEAN":
            # 32-bit sums, and two short lists of axes.
            sums = 4 * int(np.prod(shape_of(subgraph.tensors[operator.outputs[0]])))
            for size in (round_up(sums), 16, 16):
                buffers.append((size, len(subgraph.tensors) + len(buffers), step, step))
    placed: list[tuple[int, int, int, int]] = []
    for size, _, start, end in sorted(buffers, key=lambda buffer: (-buffer[0], -buffer[1])):
        offset = 0
        for low, high, begin, finish in sorted(placed):
            if begin <= end and start <= finish:
                if offset + size <= low:
                    break
                offset = max(offset, high)
        placed.append((offset, offset + size, start, end))
    return max((high for _, high, _, _ in placed), default=0)


def arena_bound(graph):
    """Bytes of arena that suffice for TFLM's reference kernels with 64-bit pointers.

    The memory plan, and on top of it what TFLM keeps for good or borrows while it plans: 4096
    bytes in all, 256 bytes for each operator, 32 for each tensor, 8 for each weight channel, the
    tables of 16-bit SOFTMAX and the operands that BATCH_MATMUL transposes.
    """
    subgraph = graph.subgraphs[0]
    kept = 4096 + 256 * len(subgraph.operators) + 32 * len(subgraph.tensors)
    for operator in subgraph.operators:
        name = operator_name(graph, operator)
        tensors = [subgraph.tensors[index] for index in operator.inputs if index >= 0]
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            kept += 8 * max(shape_of(tensors[1]))
        elif name == "SOFTMAX" and type_name(tensors[0]) == "int16":
            kept += 2 * 2 * 513 + 32
        elif name == "BATCH_MATMUL":
            options = operator.builtinOptions
            kept += options.adjX * tensor_bytes(tensors[0])
            kept += (not options.adjY) * tensor_bytes(tensors[1])
    return round_up(peak_bytes(graph) + kept)


def cmsis_margin(graph):
    """Bytes that CMSIS-NN may need beyond the reference kernels: its largest scratch buffer.

    Two rows of a convolution's patches in 16 bits, or a 32-bit sum for each output channel of a
    Dense layer or row of a matrix product. What its operators keep besides is less than what
    32-bit pointers save.
    """
    subgraph = graph.subgraphs[0]
    scratch = 0
    for operator in subgraph.operators:
        name = operator_name(graph, operator)
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            _, *rest = shape_of(subgraph.tensors[operator.inputs[1]])
            scratch = max(scratch, 2 * 2 * (int(np.prod(rest)) + 8))
        elif name == "FULLY_CONNECTED":
            scratch = max(scratch, 4 * shape_of(subgraph.tensors[operator.inputs[1]])[0])
        elif name == "BATCH_MATMUL":
            scratch = max(scratch, 4 * max(shape_of(subgraph.tensors[operator.inputs[1]])[-2:]))
    return round_up(scratch)


def round_up(size):
    """The next multiple of TFLM's alignment, 16 bytes."""
    return -(-size // 16) * 16


def tensor_bytes(tensor):
    return int(np.prod(shape_of(tensor))) * np.dtype(type_name(tensor)).itemsize
