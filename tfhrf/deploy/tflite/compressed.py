"""TensorFlow Lite Micro's own form of weights of few values: numbers of four bits and a table.

An operator of its own, TFLM_DECODE, writes the weights to the arena before they are read.
"""

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.few_values import LEAST, VALUES, are_few, products

TENSOR = """
  - subgraph: 0
    tensor: {}
    compression:
      - lut:
          index_bitwidth: 4
          per_tensor:
"""


def compressed(content):
    """bytes of an int8 .tflite file -> bytes of one that TensorFlow Lite Micro decodes.

    The results are the same. TensorFlow Lite and `to_c` do not know the operator.

    Raises:
        ImportError: the tflite-micro wheel is not here, or compresses nothing.
        ValueError: no kernel has few values.
    """
    try:
        from tflite_micro import compression
    except ImportError as error:
        raise ImportError(
            "TensorFlow Lite Micro's compressed form needs the package tflite-micro, of 2026 or "
            f"later. Received: {error}"
        ) from error
    graph = graphs.read(content)
    chosen = sorted({int(one.inputs[1]) for one in products(graph) if has_few(graph, one)})
    if not chosen:
        raise ValueError(
            f"No kernel of {LEAST} weights and more has {VALUES} values or fewer. "
            f"Received: {len(content)} bytes"
        )
    text = "tensors:" + "".join(map(TENSOR.format, chosen))
    return bytes(compression.compress(content, compression.parse_yaml(text)))


def has_few(graph, operator):
    """Whether the int8 kernel of an operator has few values."""
    tensor = graph.subgraphs[0].tensors[operator.inputs[1]]
    if graphs.type_name(tensor) != "int8" or not graphs.is_constant(graph, tensor):
        return False
    return are_few(np.frombuffer(bytes(graph.buffers[tensor.buffer].data), np.int8))
