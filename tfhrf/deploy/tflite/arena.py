"""How much memory TensorFlow Lite Micro needs for a graph, from its memory plan."""

import collections

import numpy as np

from tfhrf.deploy.memory_plan import place, round_up
from tfhrf.deploy.tflite.graph import operator_name, renumber, shape_of, type_name

ALIGNMENT = 16  # TFLM's, bytes


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
        (
            round_up(tensor_bytes(subgraph.tensors[index]), ALIGNMENT),
            index,
            first_use[index],
            last_use[index],
        )
        for index in first_use
    ]
    for step, operator in enumerate(subgraph.operators):
        if operator_name(graph, operator) == "MEAN":
            # 32-bit sums, and two short lists of axes.
            sums = 4 * int(np.prod(shape_of(subgraph.tensors[operator.outputs[0]])))
            for size in (round_up(sums, ALIGNMENT), 16, 16):
                buffers.append((size, len(subgraph.tensors) + len(buffers), step, step))
    buffers.sort(key=lambda buffer: (-buffer[0], -buffer[1]))
    _, total = place((size, first, last) for size, _, first, last in buffers)
    return total


def order_tensors(graph):
    """Reverses the order of the tensors if TFLM's plan is smaller then.

    Which of equally large buffers it places first depends on their numbers alone.
    """
    before = peak_bytes(graph)
    backwards = range(len(graph.subgraphs[0].tensors))[::-1]
    renumber(graph, backwards)
    if peak_bytes(graph) >= before:
        renumber(graph, backwards)


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
    return round_up(peak_bytes(graph) + kept, ALIGNMENT)


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
    return round_up(scratch, ALIGNMENT)


def tensor_bytes(tensor):
    return int(np.prod(shape_of(tensor))) * np.dtype(type_name(tensor)).itemsize
