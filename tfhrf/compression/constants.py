"""Constants of float graphs as arrays, in the layout of the graph and in that of the operators."""

from typing import Any

import numpy as np

from tfhrf.deploy.tflite import graph as graphs

# Weights of a kernel: smaller ones hardly count, and suffer most.
LARGE = 1024


def is_large(graph: Any, operator: Any) -> bool:
    """Whether an operator has a kernel that is worth pruning and clustering."""
    if graphs.operator_name(graph, operator) not in ("CONV_2D", "FULLY_CONNECTED"):
        return False
    index = operator.inputs[1]
    constant = graphs.is_constant_float(graph, index)
    return constant and graphs.float_array(graph, index).size >= LARGE


def in_layout(kind: str, place: int, array: np.ndarray) -> np.ndarray:
    """A constant of the graph in its layer: kernels as matrices (depth, outputs)."""
    if kind not in graphs.PRODUCTS or place != 1:
        return array
    if kind == "DEPTHWISE_CONV_2D":
        return array.reshape(-1, array.shape[-1])
    return array.reshape(len(array), -1).T


def in_graph(kind: str, matrix: np.ndarray, shape: list[int]) -> np.ndarray:
    """A kernel of a layer in the graph."""
    return np.reshape(matrix if kind == "DEPTHWISE_CONV_2D" else np.transpose(matrix), shape)
