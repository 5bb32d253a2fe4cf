"""Constants of float graphs as arrays, in the layout of the graph and in that of the operators."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.few_values import LEAST

# Weights of a kernel: smaller ones hardly count, and suffer most. Depthwise ones have a scale for
# each channel, and two bytes for each weight where frames are convolved, so that few values pay.
LARGE = {"CONV_2D": 1024, "FULLY_CONNECTED": 1024}
CLUSTERED = {**LARGE, "DEPTHWISE_CONV_2D": LEAST}


def is_large(graph: Any, operator: Any, least: Mapping[str, int] = LARGE) -> bool:
    """Whether an operator has a kernel of so many weights as `least` has for its kind."""
    kind = graphs.operator_name(graph, operator)
    if kind not in least or not graphs.is_constant_float(graph, operator.inputs[1]):
        return False
    return bool(graphs.constant_array(graph, operator.inputs[1]).size >= least[kind])


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
