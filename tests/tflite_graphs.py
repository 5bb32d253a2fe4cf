"""What is in .tflite graphs, and what TensorFlow Lite computes from them."""

import warnings

import numpy as np
import tensorflow as tf
from tiny_models import normal

from tfhrf.deploy import runners
from tfhrf.deploy.tflite import graph as graphs


def operators(content):
    graph = graphs.read(content)
    return [graphs.operator_name(graph, op) for op in graph.subgraphs[0].operators]


def run_float(content, inputs):
    """Outputs of TensorFlow Lite for float inputs, one example after the other."""
    return np.concatenate([runners.run_reference(content, [one[None]])[0] for one in inputs])


def open_batch(model, wide=False, examples=None):
    """Bytes of an integer graph whose number of examples TensorFlow's converter leaves open.

    Tokens, `examples`, stay outside of it as they are.
    """
    (x,) = model.inputs
    spec = tf.TensorSpec((None, *x.shape[1:]), x.dtype)
    function = tf.function(model).get_concrete_function(spec)
    tokens = examples is not None
    examples = examples if tokens else normal(20, *x.shape[1:]) + 1
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None].astype(x.dtype)] for one in examples)
    kinds = tf.lite.OpsSet
    wide_kind = kinds.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [wide_kind if wide else kinds.TFLITE_BUILTINS_INT8]
    kind = tf.int16 if wide else tf.int8
    converter.inference_output_type = kind
    if not tokens:
        converter.inference_input_type = kind
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return converter.convert()
