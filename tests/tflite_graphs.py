"""What is in .tflite graphs, and what TensorFlow Lite computes from them."""

import warnings

import numpy as np
import tensorflow as tf
from tiny_models import normal

from tfhrf.deploy import runners, tflm_process
from tfhrf.deploy.foreign.adopt import adopt
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


def expected_of(content, inputs):
    """What TensorFlow Lite's kernels make of one example, inputs of uint8 among them.

    A newer TensorFlow than the pinned one rounds FULLY_CONNECTED once, not twice, and refuses DIV
    by zero; there it is what TFLM makes of the graph in the form that is written for it.
    """
    if tf.__version__.startswith("2.16."):
        return tflm_process.call("run_reference", content, inputs)
    graph = graphs.read(content)
    _, outputs = graphs.interface(graph)
    adopt(graph)
    given = [
        (x.astype(int) - (128 if x.dtype == np.uint8 else 0)).astype(tensor["dtype"])
        for x, tensor in zip(inputs, graphs.interface(graph)[0], strict=True)
    ]
    found = runners.invoke(graphs.write(graph), given)
    found = found if len(outputs) > 1 else [found]
    return [
        (y.astype(int) + 128).astype(np.uint8) if tensor["dtype"] == "uint8" else y
        for y, tensor in zip(found, outputs, strict=True)
    ]
