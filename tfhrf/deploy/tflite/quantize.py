"""From a float graph with ranges to an integer graph."""

import collections
import contextlib
import copy
import inspect
import os
import re
import sys
import tempfile

import absl.logging
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize.calibrator import Calibrator

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.few_values import few_values, share_scales
from tfhrf.deploy.tflite.missing_operators import BIAS
from tfhrf.deploy.tflite.ranges import scale_zeros

# CMSIS-NN runs 16-bit Dense layers with one weight scale per tensor only. Newer versions of
# TensorFlow must be told; older ones know nothing else.
PER_TENSOR = "disable_per_channel_quantization_for_dense_layers"
QUANTIZER_ARGUMENTS = inspect.signature(Calibrator.calibrate_and_quantize).parameters
DENSE_PER_TENSOR = {PER_TENSOR: True} if PER_TENSOR in QUANTIZER_ARGUMENTS else {}


def quantize(graph, precision):
    """ModelT with ranges -> ModelT of integers; kernels of few values keep few."""
    kernels = few_values(graph) if precision == "int8" else {}
    if precision == "int16x8":
        separate_biases(graph)
        separate_buffers(graph)
    graph = quantize_read(graph, precision)
    find_in_integers(graph)
    if kernels:
        share_scales(graph, kernels)
    if precision == "int16x8":
        scale_zeros(graph)
    return graph


def find_in_integers(graph):
    """Has places of extremes found in integers: the quantizer has floats where an output is read.

    Their order is the same.
    """
    for operator in graph.subgraphs[0].operators:
        if graphs.operator_name(graph, operator) in graphs.PLACES:
            producer = graphs.neighbors(graph, operator.inputs[0])[0]
            if producer is not None and graphs.operator_name(graph, producer) == "DEQUANTIZE":
                operator.inputs[0] = producer.inputs[0]
    graphs.drop_unread(graph)


def separate_biases(graph):
    """Gives each product a bias of its own, a vector.

    The 16-bit quantizer writes one for all calls of a layer, in the scale that the first one needs.
    """
    subgraph = graph.subgraphs[0]
    uses = collections.Counter(int(i) for op in subgraph.operators for i in op.inputs)
    for operator in subgraph.operators:
        inputs = [int(index) for index in operator.inputs]
        place = BIAS.get(graphs.operator_name(graph, operator), len(inputs))
        if len(inputs) <= place or inputs[place] < 0:
            continue
        bias = inputs[place]
        if uses[bias] > 1:
            uses[bias] -= 1
            inputs[place] = len(subgraph.tensors)
            subgraph.tensors.append(copy.copy(subgraph.tensors[bias]))
            operator.inputs = inputs
        values = subgraph.tensors[inputs[place]]
        values.shape = np.array([np.prod(graphs.shape_of(values))], np.int32)


def separate_buffers(graph):
    """Gives float constants buffers of their own.

    The converter has one for all that consist of the same bytes, such as a bias of zeros and where
    a slice begins; the 16-bit quantizer writes the integers of the one over the other.
    """
    shared = collections.Counter(tensor.buffer for tensor in graph.subgraphs[0].tensors)
    for tensor in graph.subgraphs[0].tensors:
        data = graph.buffers[tensor.buffer].data
        if data is None or shared[tensor.buffer] == 1 or graphs.type_name(tensor) != "float32":
            continue
        shared[tensor.buffer] -= 1
        tensor.buffer = len(graph.buffers)
        graph.buffers.append(graphs.schema.BufferT())
        graph.buffers[-1].data = data.copy()


def quantize_read(graph, precision):
    """The same, kernels as the quantizer makes them.

    TensorFlow Lite's quantizers leave float, or refuse, an input that no operator reads. Such
    inputs are put aside meanwhile, together with the outputs that they are.
    """
    subgraph = graph.subgraphs[0]
    read = {int(index) for operator in subgraph.operators for index in operator.inputs}
    unread = [int(index) for index in subgraph.inputs if index not in read]
    if not unread:
        return graphs.read(run_quantizer(graphs.write(graph), precision))
    aside = {index: subgraph.tensors[index] for index in unread}
    kept = [[int(index) for index in indices] for indices in (subgraph.inputs, subgraph.outputs)]
    subgraph.inputs, subgraph.outputs = ([i for i in indices if i not in aside] for indices in kept)
    graph.signatureDefs = []
    if subgraph.operators:
        graph = graphs.read(run_quantizer(graphs.write(graph), precision))
        subgraph = graph.subgraphs[0]
    new = {}
    for index, tensor in aside.items():
        give_scale(tensor, precision)
        subgraph.tensors.append(tensor)
        new[index] = len(subgraph.tensors) - 1
    for name, indices in zip(("inputs", "outputs"), kept, strict=True):
        left = iter(getattr(subgraph, name))
        setattr(subgraph, name, [new[i] if i in new else next(left) for i in indices])
    graphs.drop_unused_tensors(graph)
    return graph


def give_scale(tensor, precision):
    """Makes an integer tensor of a float one with a range."""
    quantization, tensor.buffer = tensor.quantization, 0
    low, high = min(float(quantization.min[0]), 0.0), max(float(quantization.max[0]), 0.0)
    if precision == "int8":
        tensor.type, scale = graphs.schema.TensorType.INT8, (high - low) / 255
        zero_point = round(-128 - low / scale)
    else:
        tensor.type, scale, zero_point = graphs.schema.TensorType.INT16, max(-low, high) / 32767, 0
    quantization.scale = np.array([scale], np.float32)
    quantization.zeroPoint = np.array([zero_point], np.int64)


def run_quantizer(content, precision):
    """bytes of a float graph with ranges -> bytes of an integer graph."""
    with kept_errors() as chatter:
        try:
            if precision == "int8":
                return mlir_quantize(content, input_data_type=tf.int8, output_data_type=tf.int8)
            # Nothing is fed: the ranges are in the graph already.
            return Calibrator(content).calibrate_and_quantize(
                lambda: iter(()),
                tf.int16,
                tf.int16,
                False,
                activations_type=tf.int16,
                bias_type=tf.int64,
                **DENSE_PER_TENSOR,
            )
        except Exception as error:
            text = f"{error}\n{chatter()}"
            failed = error
    reasons = re.findall(r"error: (.*)", text) or [" ".join(str(failed).split())]
    raise ValueError(
        f"TensorFlow Lite cannot quantize the model: {'; '.join(dict.fromkeys(reasons))}. "
        f"Received: precision={precision!r}"
    ) from failed


@contextlib.contextmanager
def kept_errors():
    """Keeps what the converter writes to standard error; yields a function that returns it."""
    sys.stderr.flush()
    level = absl.logging.get_verbosity()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:

        def chatter():
            file.seek(0)
            return file.read().decode(errors="replace")

        os.dup2(file.fileno(), 2)
        absl.logging.set_verbosity(absl.logging.ERROR)
        try:
            yield chatter
        finally:
            absl.logging.set_verbosity(level)
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
