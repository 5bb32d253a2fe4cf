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


def open_batch(model, wide=False):
    """Bytes of an integer graph whose number of examples TensorFlow's converter leaves open."""
    (x,) = model.inputs
    function = tf.function(model).get_concrete_function(tf.TensorSpec((None, *x.shape[1:])))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[None] + 1] for one in normal(20, *x.shape[1:]))
    kinds = tf.lite.OpsSet
    wide_kind = kinds.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [wide_kind if wide else kinds.TFLITE_BUILTINS_INT8]
    kind = tf.int16 if wide else tf.int8
    converter.inference_input_type = converter.inference_output_type = kind
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return converter.convert()
