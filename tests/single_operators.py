"""Quantized .tflite graphs of one operator, for tests."""

import dataclasses

import flatbuffers
import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.schema import schema

TYPES = {"int8": schema.TensorType.INT8, "int16": schema.TensorType.INT16}
TYPES |= {"int32": schema.TensorType.INT32, "int64": schema.TensorType.INT64}
TYPES |= {"float32": schema.TensorType.FLOAT32, "uint8": schema.TensorType.UINT8}
TYPES |= {"bool": schema.TensorType.BOOL}


@dataclasses.dataclass
class Spec:
    """A tensor: a computed one, or a constant with data."""

    shape: tuple
    scales: tuple = ()
    zero_point: int = 0
    dtype: str = "int8"
    data: np.ndarray | None = None
    axis: int = 0
    variable: bool = False


def constant(data, scales=(), zero_point=0, axis=0):
    data = np.asarray(data)
    return Spec(data.shape, scales, zero_point, data.dtype.name, data, axis)


def single(name, inputs, outputs, options=None):
    """Bytes of a graph; `inputs` without data are the graph's inputs."""
    return chained([(name, inputs, outputs, options)], outputs)


def chained(operators, outputs=None):
    """Bytes of a graph of operators (name, inputs, outputs, options) in their order.

    What is neither constant nor computed is an input; `outputs` are the last operator's if None.
    """
    graph = schema.ModelT()
    graph.version = 3
    graph.buffers = [schema.BufferT()]
    graph.operatorCodes = []
    subgraph = schema.SubGraphT()
    subgraph.tensors = []
    subgraph.operators = []
    subgraph.inputs = []
    graph.subgraphs = [subgraph]
    indices = {}
    for name, read, written, options in operators:
        for spec in (*read, *written):
            if spec is not None and id(spec) not in indices:
                indices[id(spec)] = position = len(subgraph.tensors)
                subgraph.tensors.append(make_tensor(graph, spec, f"tensor_{position}"))
                given = spec.data is None and not spec.variable
                if given and any(spec is one for one in read):
                    subgraph.inputs.append(position)
        ins = [-1 if spec is None else indices[id(spec)] for spec in read]
        outs = [indices[id(spec)] for spec in written]
        options = options or schema.AddOptionsT()
        subgraph.operators.append(graphs.make_operator(graph, name, options, ins, outs))
    subgraph.outputs = [indices[id(spec)] for spec in outputs or operators[-1][2]]
    builder = flatbuffers.Builder(1024)
    builder.Finish(graph.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def make_tensor(graph, spec, name):
    tensor = schema.TensorT()
    tensor.name = name
    tensor.shape = np.array(spec.shape, np.int32)
    tensor.hasRank = True
    tensor.type = TYPES[spec.dtype]
    tensor.buffer = 0
    tensor.isVariable = spec.variable
    if spec.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(spec.data.tobytes(), np.uint8)
        graph.buffers.append(buffer)
        tensor.buffer = len(graph.buffers) - 1
    if len(spec.scales):
        quantization = schema.QuantizationParametersT()
        quantization.scale = np.array(spec.scales, np.float32)
        zeros = [spec.zero_point] * len(spec.scales)
        quantization.zeroPoint = np.array(zeros, np.int64)
        quantization.quantizedDimension = spec.axis
        tensor.quantization = quantization
    return tensor
