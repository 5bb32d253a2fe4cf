"""Writes operators of a quantized graph as others that have kernels.

- TABLE: what an int8 operator, or a chain of them, makes of one varying value.
- CLAMP bounds 16-bit results. FULLY_CONNECTED with computed weights is a BATCH_MATMUL.
"""

import copy
import dataclasses
import types

import numpy as np

from tfhrf.deploy.c.ir import (
    BINARY,
    BOUNDS,
    CHOICES,
    UNARY,
    Operator,
    Tensor,
    activation,
    bounds_of,
    refuse,
)
from tfhrf.deploy.c.values import evaluate, table_of

IMAGES = {"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"}
IMAGES |= {"RESIZE_BILINEAR", "TRANSPOSE_CONV"}
IDENTITY = np.arange(-128, 128)


def simplify(graph):
    """Changes a Graph in place."""
    multiply_computed(graph)
    part_images(graph)
    for operator in [op for op in graph.operators if op.name == "ADD"]:
        join_lines(graph, operator)
    for operator in [op for op in graph.operators if op.name == "GATHER"]:
        join_lookup(graph, operator)
    make_tables(graph)
    part_activations(graph)


def look_up(table, values):
    return np.asarray(table)[np.asarray(values, int) + 128]


def scalar(tensor):
    """The value of a constant of one element, or None."""
    return int(tensor.data.flat[0]) if tensor.data is not None and tensor.data.size == 1 else None


def make_tables(graph):
    """Makes a TABLE of each int8 operator that is a function of one varying tensor's elements."""
    sources: dict[int, tuple] = {}
    for position, operator in enumerate(graph.operators):
        if operator.name not in BINARY | CHOICES | UNARY or operator.output.dtype != "int8":
            continue
        if any(tensor.dtype != "int8" for tensor in operator.inputs):
            continue
        if operator.name == "RSQRT" and operator.inputs[0].zero_point != -128:
            refuse(operator, "its input can be negative: TFLM would stop", operator.inputs[0])
        constants = [scalar(tensor) for tensor in operator.inputs]
        varying = [t for t, c in zip(operator.inputs, constants, strict=True) if c is None]
        if not varying or any(tensor.data is not None for tensor in varying):
            continue
        roots = [sources.get(id(tensor), (tensor, IDENTITY)) for tensor in varying]
        if any(root[0] is not roots[0][0] for root in roots):
            continue
        source = roots[0][0]
        if operator.output.shape != source.shape:
            continue
        if len(varying) == 1:
            table = look_up(table_of(operator, constants), roots[0][1])
        else:
            table = evaluate(operator, roots[0][1], roots[1][1])
        sources[id(operator.output)] = (source, table)
        graph.operators[position] = Operator(
            "TABLE", [source], operator.outputs, extra={"table": table}
        )
    drop_unread(graph)


def join_lookup(graph, gather):
    """Makes a TABLE of CAST, ADD of 128 and GATHER; joins a GATHER with a QUANTIZE behind it."""
    table, places = gather.inputs
    add = graph.producer(places)
    cast = graph.producer(add.inputs[0]) if add is not None and add.name == "ADD" else None
    if (
        (cast is not None and cast.name == "CAST")
        and table.data is not None
        and (table.shape, table.dtype, cast.inputs[0].dtype) == ((256,), "int8", "int8")
        and scalar(add.inputs[1]) == 128
    ):
        gather.name, gather.inputs, gather.extra = "TABLE", cast.inputs, {"table": table.data}
        drop_unread(graph)
        return
    readers = graph.consumers(gather.output)
    if len(readers) == 1 and readers[0].name == "QUANTIZE" and table.data is not None:
        (quantize,) = readers
        data = evaluate(quantize, table.data).astype(quantize.output.dtype)
        wide = dataclasses.replace(quantize.output, shape=table.shape, data=data)
        gather.inputs, gather.outputs = [wide, places], quantize.outputs
        graph.operators.remove(quantize)


def join_lines(graph, add):
    """Makes LINES of what `to_tflite` writes for a function of one value in 16 bits.

    That is base + slope * (value - middle), all three looked up at the value in 8 bits.
    """
    base, over = [graph.producer(tensor) for tensor in add.inputs]
    if any(op is None for op in (base, over)) or (base.name, over.name) != ("ADD", "MUL"):
        return
    tables = [looked_up(graph, tensor) for tensor in (*base.inputs, over.inputs[0])]
    rest = graph.producer(over.inputs[1])
    if None in tables or rest is None or rest.name != "SUB":
        return
    middle, part = graph.producer(rest.inputs[1]), tables[0][0]
    if any(table[0] is not part for table in tables) or rest.inputs[0] is not part.inputs[0]:
        return
    if middle is None or middle.name != "QUANTIZE" or middle.inputs[0] is not part.output:
        return
    high, low, slopes = (table[1] for table in tables)
    columns = evaluate(middle, IDENTITY), evaluate(base, high, low), slopes
    steps = {"part": part, "rest": rest, "product": over}
    add.name, add.inputs, add.extra = "LINES", [rest.inputs[0]], {"columns": columns, **steps}
    add.extra["sum"] = dataclasses.replace(add, name="ADD", inputs=[base.output, over.output])
    drop_unread(graph)


def looked_up(graph, tensor):
    """(the QUANTIZE to 8 bits, 256 results) of what is looked up and rescaled, or None."""
    chain = []
    for name in ("QUANTIZE", "GATHER", "ADD", "CAST", "QUANTIZE"):
        operator = graph.producer(tensor)
        if operator is None or operator.name != name:
            return None
        chain.append(operator)
        tensor = operator.inputs[name == "GATHER"]
    wide, gather, places, _, part = chain
    table = gather.inputs[0]
    if table.data is None or table.shape != (256,) or scalar(places.inputs[1]) != 128:
        return None
    return (part, evaluate(wide, table.data)) if part.output.dtype == "int8" else None


def multiply_computed(graph):
    """Makes a BATCH_MATMUL of each FULLY_CONNECTED whose weights are computed."""
    for operator in graph.operators:
        if operator.name != "FULLY_CONNECTED" or operator.inputs[1].data is not None:
            continue
        x, weights, *bias = operator.inputs
        if any(bias) or x.dtype != weights.dtype or operator.output.shape[:-1] != x.shape[:-1]:
            continue
        operator.name, operator.inputs = "BATCH_MATMUL", [x, weights]
        fused = operator.options.fusedActivationFunction
        operator.options = types.SimpleNamespace(
            adjX=False, adjY=True, fusedActivationFunction=fused
        )


def part_images(graph):
    """Makes of what works on images one operator for each image: all kernels have one."""
    for operator in [op for op in graph.operators if op.name in IMAGES]:
        place = 2 if operator.name == "TRANSPOSE_CONV" else 0
        x, y = operator.inputs[place], operator.output
        count = x.shape[0]
        if count == 1 or len(x.shape) != 4:
            continue
        ins, outs = (
            [dataclasses.replace(tensor, shape=(1, *tensor.shape[1:])) for _ in range(count)]
            for tensor in (x, y)
        )
        axis = Tensor("axis", (), "int32", np.zeros(0), data=np.zeros((), int))
        made = [Operator("SPLIT", [axis, x], ins)]
        for one, result in zip(ins, outs, strict=True):
            inputs = [*operator.inputs[:place], one, *operator.inputs[place + 1 :]]
            made.append(dataclasses.replace(operator, inputs=inputs, outputs=[result]))
        options = types.SimpleNamespace(axis=0, fusedActivationFunction=0)
        made.append(Operator("CONCATENATION", outs, [y], options))
        position = graph.operators.index(operator)
        graph.operators[position : position + 1] = made


def part_activations(graph):
    """Makes a CLAMP of each 16-bit activation that its operator's kernel has not."""
    for operator in [op for op in graph.operators if op.output.dtype == "int16"]:
        if operator.name == "RELU6":
            operator.name, operator.extra = "CLAMP", {"kind": "RELU6"}
        kind, output = activation(operator), operator.output
        if kind not in BOUNDS:
            continue
        if bounds_of(kind, output)[1] == output.limits.max and operator.name != "BATCH_MATMUL":
            continue
        raw = dataclasses.replace(output)
        operator.options = copy.copy(operator.options)
        operator.options.fusedActivationFunction = 0
        operator.outputs = [raw]
        new = Operator("CLAMP", [raw], [output], extra={"kind": kind})
        graph.operators.insert(graph.operators.index(operator) + 1, new)


def drop_unread(graph):
    """Removes operators whose outputs nothing reads."""
    for operator in reversed(graph.operators):
        read = any(graph.consumers(t) or any(t is o for o in graph.kept) for t in operator.outputs)
        if not read:
            graph.operators.remove(operator)
