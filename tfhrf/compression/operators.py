"""The operators of float TensorFlow Lite graphs as TensorFlow functions of whole batches.

A graph computes one example; here every tensor has one dimension more in front, the examples.
Constants have it, too, with length 1. An operator is a function of its inputs and its options.
"""

import numpy as np
import tensorflow as tf

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.graph_rewrites import ACTIVATION_NAMES

ACTIVATIONS = {
    "NONE": tf.identity,
    "RELU": tf.nn.relu,
    "RELU6": tf.nn.relu6,
    "RELU_N1_TO_1": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "TANH": tf.tanh,
}
# Of an input of RSQRT: an integer that rounds to zero has no root.
TINY = 1e-12


def options_of(graph, operator):
    """What an operator computes with besides its inputs, as plain values.

    Constant inputs of integers, such as shapes and axes, are options.
    """
    tensors = graph.subgraphs[0].tensors
    found = {
        "shapes": [graphs.shape_of(tensors[index]) for index in operator.outputs],
        "integers": [
            graphs.constant_values(graph, index).tolist()
            for index in operator.inputs
            if index >= 0 and graphs.type_name(tensors[index]) == "int32"
        ],
    }
    given = {} if operator.builtinOptions is None else vars(operator.builtinOptions)
    kernels = {}
    if graphs.operator_name(graph, operator) in graphs.PRODUCTS:
        kernels["kernel"] = graphs.shape_of(tensors[operator.inputs[1]])
    plain = {name: value for name, value in given.items() if isinstance(value, (int, float))}
    return found | kernels | plain


def activate(x, options):
    return ACTIVATIONS[ACTIVATION_NAMES[options.get("fusedActivationFunction", 0)]](x)


def aligned(inputs):
    """Inputs with ones in their shapes behind the examples, so that all have the same rank."""
    rank = max(len(x.shape) for x in inputs)
    return [tf.reshape(x, [-1, *[1] * (rank - len(x.shape)), *x.shape[1:]]) for x in inputs]


def binary(function):
    return lambda inputs, options: activate(function(*aligned(inputs)), options)


def unary(function):
    return lambda inputs, options: function(inputs[0])


def reshape(inputs, options):
    return tf.reshape(inputs[0], [-1, *options["shapes"][0]])


def transpose(inputs, options):
    return tf.transpose(inputs[0], [0, *(1 + axis for axis in options["integers"][0])])


def take(inputs, options):
    begin, size = options["integers"]
    ends = [b + n if n >= 0 else None for b, n in zip(begin, size, strict=True)]
    return inputs[0][(slice(None), *map(slice, begin, ends))]


def take_strided(inputs, options):
    begin, end, step = options["integers"]
    cut = [
        slice(
            None if options["beginMask"] >> axis & 1 else begin[axis],
            None if options["endMask"] >> axis & 1 else end[axis],
            step[axis],
        )
        if not options["shrinkAxisMask"] >> axis & 1
        else begin[axis]
        for axis in range(len(begin))
    ]
    return inputs[0][(slice(None), *cut)]


def positive(axis, x):
    """An axis of one example as an axis of a batch."""
    return 1 + axis if axis >= 0 else axis % (len(x.shape) - 1) + 1


def split(inputs, options):
    axis = positive(options["integers"][0][0], inputs[0])
    return tf.split(inputs[0], options["numSplits"], axis)


def concatenate(inputs, options):
    examples = tf.shape(inputs[0])[0]
    for x in inputs:
        examples = tf.maximum(examples, tf.shape(x)[0])
    whole = [tf.repeat(x, examples // tf.shape(x)[0], axis=0) for x in inputs]
    return activate(tf.concat(whole, positive(options["axis"], inputs[0])), options)


def pack(inputs, options):
    axis = options["axis"]
    return tf.stack(inputs, 1 + axis if axis >= 0 else axis)


def pad(inputs, options):
    widths = np.reshape(options["integers"][0], (-1, 2)).tolist()
    return tf.pad(inputs[0], [[0, 0], *widths])


def reduction(function):
    def reduce(inputs, options):
        axes = [positive(axis, inputs[0]) for axis in options["integers"][0]]
        return function(inputs[0], axes, keepdims=options["keepDims"])

    return reduce


def multiply_matrices(inputs, options):
    left, right = aligned(inputs)
    return tf.matmul(left, right, transpose_a=options["adjX"], transpose_b=options["adjY"])


def dense(inputs, options):
    x, kernel, *bias = inputs
    depth = kernel.shape[0]
    y = tf.matmul(tf.reshape(x, [-1, depth]), kernel)
    y = tf.nn.bias_add(y, bias[0]) if bias else y
    return activate(tf.reshape(y, [-1, *options["shapes"][0]]), options)


def images(x):
    """Batches of images as one batch."""
    return tf.reshape(x, [-1, *x.shape[2:]])


def windows_of(options):
    strides = [1, options["strideH"], options["strideW"], 1]
    return {"strides": strides, "padding": ("SAME", "VALID")[options["padding"]]}


def convolve(inputs, options):
    """By a kernel of shape (height * width * channels, outputs)."""
    x, kernel, *bias = inputs
    kernel = tf.reshape(kernel, [*options["kernel"][1:], -1])
    dilations = [1, options["dilationHFactor"], options["dilationWFactor"], 1]
    y = tf.nn.conv2d(images(x), kernel, dilations=dilations, **windows_of(options))
    y = tf.nn.bias_add(y, bias[0]) if bias else y
    return activate(tf.reshape(y, [-1, *options["shapes"][0]]), options)


def convolve_depthwise(inputs, options):
    """By a kernel of shape (height * width, outputs).

    TensorFlow's own has one stride for both directions: where they are not equal, what a stride
    of one computes too much is dropped.
    """
    x, kernel, *bias = inputs
    _, height, width, outputs = options["kernel"]
    x = images(x)
    channels = x.shape[-1]
    kernel = tf.reshape(kernel, [height, width, channels, outputs // channels])
    dilations = [options["dilationHFactor"], options["dilationWFactor"]]
    strides = [options["strideH"], options["strideW"]]
    if strides[0] != strides[1]:
        x = tf.pad(x, edges_of(x, options))
        y = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID", dilations=dilations)
        y = y[:, :: strides[0], :: strides[1]]
    else:
        y = tf.nn.depthwise_conv2d(
            dilations=dilations, input=x, filter=kernel, **windows_of(options)
        )
    y = tf.nn.bias_add(y, bias[0]) if bias else y
    return activate(tf.reshape(y, [-1, *options["shapes"][0]]), options)


def edges_of(x, options):
    """The zeros around images that a convolution reads."""
    _, height, width, _ = options["kernel"]
    _, rows, columns, _ = options["shapes"][0]
    edges = []
    for length, count, step, size in (
        (x.shape[1], rows, options["strideH"], 1 + (height - 1) * options["dilationHFactor"]),
        (x.shape[2], columns, options["strideW"], 1 + (width - 1) * options["dilationWFactor"]),
    ):
        missing = max(0, (count - 1) * step + size - length)
        before = missing // 2 if options["padding"] == 0 else 0
        edges.append([before, missing - before])
    return [[0, 0], *edges, [0, 0]]


def pooling(function):
    def pool(inputs, options):
        size = [1, options["filterHeight"], options["filterWidth"], 1]
        y = function(images(inputs[0]), size, **windows_of(options))
        return activate(tf.reshape(y, [-1, *options["shapes"][0]]), options)

    return pool


OPERATORS = {
    "ABS": unary(tf.abs),
    "ADD": binary(tf.add),
    "AVERAGE_POOL_2D": pooling(tf.nn.avg_pool2d),
    "BATCH_MATMUL": multiply_matrices,
    "CONCATENATION": concatenate,
    "CONV_2D": convolve,
    "DEPTHWISE_CONV_2D": convolve_depthwise,
    "DIV": binary(tf.divide),
    "EXPAND_DIMS": reshape,
    "FULLY_CONNECTED": dense,
    "HARD_SWISH": unary(lambda x: x * tf.nn.relu6(x + 3) / 6),
    "LEAKY_RELU": lambda inputs, options: tf.nn.leaky_relu(inputs[0], options["alpha"]),
    "LOGISTIC": unary(tf.sigmoid),
    "MAXIMUM": binary(tf.maximum),
    "MAX_POOL_2D": pooling(tf.nn.max_pool2d),
    "MEAN": reduction(tf.reduce_mean),
    "MINIMUM": binary(tf.minimum),
    "MUL": binary(tf.multiply),
    "PACK": pack,
    "PAD": pad,
    "REDUCE_MAX": reduction(tf.reduce_max),
    "RELU": unary(tf.nn.relu),
    "RESHAPE": reshape,
    "RSQRT": unary(lambda x: tf.math.rsqrt(tf.maximum(x, TINY))),
    "SLICE": take,
    "SOFTMAX": lambda inputs, options: tf.nn.softmax(inputs[0] * options["beta"]),
    "SPLIT": split,
    "SQUARED_DIFFERENCE": binary(tf.math.squared_difference),
    "SQUEEZE": reshape,
    "STRIDED_SLICE": take_strided,
    "SUB": binary(tf.subtract),
    "SUM": reduction(tf.reduce_sum),
    "TANH": unary(tf.tanh),
    "TRANSPOSE": transpose,
}
