"""TensorFlow Lite graphs as Python objects, and what of them TensorFlow Lite Micro can run.

A graph is a `ModelT` of TensorFlow's own flatbuffer schema with one subgraph.
"""

import re
import struct

import flatbuffers
import numpy as np

from tfhrf.deploy.tflite.schema import schema

OPERATOR_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
# What has a kernel, and behind it a bias.
PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# What finds a place along an axis.
PLACES = ("ARG_MAX", "ARG_MIN")
# What tokens may pass on their way to a table.
VIEWS = {"EXPAND_DIMS", "RESHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE", "SPLIT_V"}
TYPE_NAMES = {
    code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")
}


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
    try:
        graph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(content), 0))
    # What the reader raises depends on where the bytes end or what stands in them.
    except (struct.error, IndexError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"These bytes are a damaged .tflite file. Received: {len(content)} bytes, {error}"
        ) from error
    if not graph.subgraphs:
        raise ValueError(f"This .tflite file holds no graph. Received: {len(content)} bytes")
    return graph


def write(graph):
    """ModelT -> bytes."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(graph.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator_name(graph, operator):
    code = graph.operatorCodes[operator.opcodeIndex]
    name = OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
    return code.customCode.decode() if name == "CUSTOM" and code.customCode else name


def type_name(tensor):
    return TYPE_NAMES[tensor.type]


def tensor_name(tensor):
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


def input_number(name):
    """Which input of the Keras model one of a graph is, by the name that `freeze` gave it."""
    return int(re.sub(r".*input_(\d+).*", r"\1", name))


def shape_of(tensor):
    return [] if tensor.shape is None else [int(n) for n in tensor.shape]


def interface(graph):
    """What the inputs and the outputs of a graph are.

    Returns:
        Two lists of dicts "shape", "dtype", "scale", "zero_point"; the last two None for floats
        and tokens. Tokens, int32, have "tokens", how many there are: inputs that are places in a
        table, outputs that are places of the largest or least value.
    """
    subgraph = graph.subgraphs[0]
    inputs, outputs = (
        [describe(subgraph.tensors[index]) for index in indices]
        for indices in (subgraph.inputs, subgraph.outputs)
    )
    for index, tensor in zip(subgraph.inputs, inputs, strict=True):
        count = token_count(graph, int(index))
        if tensor["dtype"] == "int32" and count:
            tensor["tokens"] = count
    for index, tensor in zip(subgraph.outputs, outputs, strict=True):
        count = place_count(graph, int(index))
        if tensor["dtype"] == "int32" and count:
            tensor["tokens"] = count
    return inputs, outputs


def token_count(graph, index):
    """How many tokens there are in the least table that a tensor's values are places in, or 0."""
    subgraph = graph.subgraphs[0]
    counts = []
    for operator in neighbors(graph, index)[1]:
        if operator_name(graph, operator) == "GATHER" and operator.inputs[1] == index:
            counts.append(shape_of(subgraph.tensors[operator.inputs[0]])[0])
        elif operator_name(graph, operator) in VIEWS and operator.inputs[0] == index:
            counts += [token_count(graph, int(output)) for output in operator.outputs]
    return min(filter(None, counts), default=0)


def place_count(graph, index):
    """How many places there are that ARG_MAX or ARG_MIN finds, if it makes a tensor, or 0."""
    finder = place_finder(graph, index)
    if finder is None:
        return 0
    axis = int(constant_values(graph, finder.inputs[1])[0])
    return shape_of(graph.subgraphs[0].tensors[finder.inputs[0]])[axis]


def place_finder(graph, index):
    """The ARG_MAX or ARG_MIN that a tensor's values are from, or None."""
    producer = neighbors(graph, index)[0]
    name = None if producer is None else operator_name(graph, producer)
    if name in VIEWS:
        return place_finder(graph, int(producer.inputs[0]))
    return producer if name in PLACES else None


def check_scales(graph):
    """Raises ValueError if a tensor of 8 or 16 bits that an operator touches has no scale."""
    subgraph = graph.subgraphs[0]
    for operator in subgraph.operators:
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0:
                describe(subgraph.tensors[index])


def describe(tensor):
    dtype = type_name(tensor)
    quantization = tensor.quantization
    quantized = dtype in ("int8", "int16")
    if quantized and (quantization is None or quantization.scale is None):
        raise ValueError(
            f"A tensor of type {dtype} has no scale, which integers need. "
            f"Received: tensor '{tensor_name(tensor)}' of shape {shape_of(tensor)}"
        )
    return {
        "shape": shape_of(tensor),
        "dtype": dtype,
        "scale": float(quantization.scale[0]) if quantized else None,
        "zero_point": int(quantization.zeroPoint[0]) if quantized else None,
    }


def is_constant(graph, tensor):
    data = graph.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def constant_values(graph, index):
    """The values of a constant tensor, one after the other."""
    return constant_array(graph, index).ravel()


def is_constant_float(graph, index):
    tensor = graph.subgraphs[0].tensors[index]
    return type_name(tensor) == "float32" and is_constant(graph, tensor)


def constant_array(graph, index):
    """The values of a constant tensor, in its type and shape."""
    tensor = graph.subgraphs[0].tensors[index]
    data = bytes(graph.buffers[tensor.buffer].data)
    return np.frombuffer(data, type_name(tensor)).reshape(shape_of(tensor))


def operators_used(graph):
    """Sorted names of the operators in a graph."""
    return sorted({operator_name(graph, op) for op in graph.subgraphs[0].operators})


def locate(graph, operator, name_layer):
    """(words that say where an operator stands, words that describe its first output)."""
    output = graph.subgraphs[0].tensors[operator.outputs[0]]
    name = tensor_name(output)
    return (
        f"{name_layer(name)}operator {operator_name(graph, operator)}",
        f"Received: tensor '{name}' of type {type_name(output)}",
    )


def any_batch(graph):
    """Whether a graph leaves the number of examples open."""
    subgraph = graph.subgraphs[0]
    signatures = [subgraph.tensors[index].shapeSignature for index in subgraph.inputs]
    return any(s is not None and len(s) and s[0] == -1 for s in signatures)


def drop_unread(graph):
    """Removes operators whose outputs nothing reads."""
    subgraph = graph.subgraphs[0]
    read = {int(index) for index in subgraph.outputs}
    kept: list = []
    for operator in reversed(subgraph.operators):
        # What has no outputs assigns variables.
        if not len(operator.outputs) or read & {int(index) for index in operator.outputs}:
            read |= {int(index) for index in operator.inputs}
            kept.insert(0, operator)
    subgraph.operators = kept


def drop_unused_tensors(graph):
    """Removes tensors that no operator touches: TFLM would give them memory."""
    subgraph = graph.subgraphs[0]
    lists = [op.inputs for op in subgraph.operators] + [op.outputs for op in subgraph.operators]
    lists += [subgraph.inputs, subgraph.outputs]
    renumber(graph, sorted({int(index) for indices in lists for index in indices if index >= 0}))


def renumber(graph, order):
    """Makes of `order`, indices of tensors, the tensors 0, 1 and so on; others vanish."""
    subgraph = graph.subgraphs[0]
    new = {-1: -1, **{old: i for i, old in enumerate(order)}}
    subgraph.tensors = [subgraph.tensors[index] for index in order]
    subgraph.inputs = [new[index] for index in subgraph.inputs]
    subgraph.outputs = [new[index] for index in subgraph.outputs]
    for operator in subgraph.operators:
        operator.inputs = [new[index] for index in operator.inputs]
        operator.outputs = [new[index] for index in operator.outputs]
    for signature in graph.signatureDefs or ():
        for entry in (*(signature.inputs or ()), *(signature.outputs or ())):
            entry.tensorIndex = new[entry.tensorIndex]


def drop_unused_codes(graph):
    """Removes entries of the operator table that no operator has: TFLM would look for them."""
    operators = [operator for subgraph in graph.subgraphs for operator in subgraph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    graph.operatorCodes = [graph.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def position(subgraph, operator):
    return next(i for i, other in enumerate(subgraph.operators) if other is operator)


def replace(graph, operator, new):
    """Puts operators in the place of one."""
    subgraph = graph.subgraphs[0]
    at = position(subgraph, operator)
    subgraph.operators[at : at + 1] = new


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
    """Index of a new constant tensor."""
    kind = getattr(schema.TensorType, values.dtype.name.upper())
    index = add_tensor(graph, values.shape, kind, name)
    make_constant(graph, index, values)
    return index


def make_constant(graph, index, values):
    """Gives a tensor values, in a buffer of its own."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    graph.buffers.append(buffer)
    graph.subgraphs[0].tensors[index].buffer = len(graph.buffers) - 1


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
    if options is not None:
        word = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, word)
    return operator
