"""What is in .tflite graphs, and what TensorFlow Lite computes from them."""

import numpy as np

from tfhrf.deploy import runners
from tfhrf.deploy.tflite import graph as graphs


def operators(content):
    graph = graphs.read(content)
    return [graphs.operator_name(graph, op) for op in graph.subgraphs[0].operators]


def run_float(content, inputs):
    """Outputs of TensorFlow Lite for float inputs, one example after the other."""
    return np.concatenate([runners.run_reference(content, [one[None]])[0] for one in inputs])
