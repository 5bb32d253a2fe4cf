"""What TensorFlow has and TensorFlow Lite lacks or converts wrongly, by what it has."""

import functools

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfhrf.deploy.tflite.volumes import flattened

# Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26; 1.5e-7 off at most.
ERF_SLOPE = 0.3275911
ERF_POWERS = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)

LEAST_NORMAL = np.finfo(np.float32).tiny


def erf(x):
    size = tf.abs(x)
    t = 1 / (1 + ERF_SLOPE * size)
    series = 0.0
    for power in reversed(ERF_POWERS):
        series = (series + power) * t
    return tf.sign(x) * (1 - series * tf.exp(-size * size))


def leg(x):
    """The other leg of a right triangle with a leg x and a hypotenuse of 1."""
    return tf.sqrt((1 - x) * (1 + x))


SPELLED_OUT = {
    "Acos": lambda x: tf.atan2(leg(x), x),
    "Acosh": lambda x: tf.math.log(x + tf.sqrt(x - 1) * tf.sqrt(x + 1)),
    "Asin": lambda x: tf.atan2(x, leg(x)),
    "Asinh": lambda x: tf.sign(x) * tf.math.log(tf.abs(x) + tf.sqrt(x * x + 1)),
    "Atan": lambda x: 2 * tf.atan2(x, 1 + tf.sqrt(1 + x * x)),
    "Atanh": lambda x: (tf.math.log(1 + x) - tf.math.log(1 - x)) / 2,
    "Cosh": lambda x: (tf.exp(x) + tf.exp(-x)) / 2,
    "Erf": erf,
    "Erfc": lambda x: 1 - erf(x),
    "Sinh": lambda x: (tf.exp(x) - tf.exp(-x)) / 2,
    "Softsign": lambda x: x / (1 + tf.abs(x)),
    "Tan": lambda x: tf.sin(x) / tf.cos(x),
}


# Products whose only row the converter merges with the reshapes around it, to a shape that it then
# refuses: attention pooling as Dot and einsum write it, or the cosine of two vectors.
PRODUCTS = ("BatchMatMulV2", "Einsum")


def product(operation):
    """A function that multiplies as an operation of PRODUCTS does, with a slice behind, or None.

    None where the operation is no product of two matrices for each example, or has more rows.
    """
    if operation.type not in PRODUCTS or len(operation.inputs) != 2:
        return None
    if not all(x.shape.is_fully_defined() for x in operation.inputs):
        return None
    if operation.type == "Einsum":
        equation = operation.get_attr("equation").decode()
        return einsum_of_row(equation, *(x.shape.as_list() for x in operation.inputs))
    if operation.outputs[0].shape.rank != 3 or operation.outputs[0].shape[1] != 1:
        return None
    return functools.partial(
        row_times, adjoint_a=operation.get_attr("adj_x"), adjoint_b=operation.get_attr("adj_y")
    )


def row_times(x, y, **adjoint):
    """The product of matrices (batch, 1, n) and (batch, n, m), the row cut out and put back."""
    return tf.matmul(x, y, **adjoint)[:, 0][:, None]


def einsum_of_row(equation, left_shape, right_shape):
    """As of `product`, for an einsum that has no axis of its left side alone."""
    sides, _, result = equation.partition("->")
    left, _, right = sides.partition(",")
    shared = [axis for axis in left if axis in right]
    batch = [axis for axis in shared if axis in result]
    inner = [axis for axis in shared if axis not in result]
    outer = [axis for axis in right if axis not in left]
    named = {*batch, *inner, *outer}
    if not inner or "." in equation or {*left, *right} != named or {*result} != {*batch, *outer}:
        return None
    sizes = dict(zip(left + right, [*left_shape, *right_shape], strict=True))

    def size(axes):
        return functools.reduce(int.__mul__, (sizes[axis] for axis in axes), 1)

    def times(x, y):
        x = tf.transpose(x, [left.index(axis) for axis in (*batch, *inner)])
        y = tf.transpose(y, [right.index(axis) for axis in (*batch, *inner, *outer)])
        row = tf.reshape(x, (size(batch), 1, size(inner)))
        matrix = tf.reshape(y, (size(batch), size(inner), size(outer)))
        found = tf.reshape(row_times(row, matrix), [sizes[axis] for axis in (*batch, *outer)])
        return tf.transpose(found, [(*batch, *outer).index(axis) for axis in result])

    return times


def spell_out(function):
    """The same frozen concrete function without operators that are in SPELLED_OUT."""
    graph = function.graph.as_graph_def()
    places = [graph.node, *(one.node_def for one in graph.library.function)]
    nodes = [node for place in places for node in place if node.op in SPELLED_OUT]
    for name in {node.op for node in nodes}:
        traced = tf.function(SPELLED_OUT[name], autograph=False)
        traced = traced.get_concrete_function(tf.TensorSpec(None))
        graph.library.function.append(traced.function_def)
        for node in [node for node in nodes if node.op == name]:
            call_instead(node, traced, 1)
    return import_again(graph, function)


def spell_out_products(function):
    """The same frozen concrete function with its PRODUCTS of one row as `product` has them."""
    return compute_instead(function, product)


def plain(function):
    """The same frozen concrete function in a form that the converter and TFLM can take."""
    return compute_instead(plain_zeros(plain_sums(function)), flattened)


def plain_sums(function):
    """The same frozen concrete function, sums that Keras took for the addition of a bias restored.

    Of a batch of one, keras.ops.add squeezes what has one axis longer than 1 and adds it as a
    bias, along the last axis if that is as long: frames, where there are as many as channels.
    """
    graph = function.graph.as_graph_def()
    changed = False
    for node in [node for node in graph.node if node.op == "BiasAdd"]:
        squeeze = function.graph.get_operation_by_name(node.name).inputs[1].op
        if squeeze.type != "Squeeze" or squeeze.get_attr("squeeze_dims"):
            continue
        added = squeeze.inputs[0]
        if added.shape[-1] == 1 or not is_constant(added.op):
            node.op, node.input[1] = "AddV2", added.name
            del node.attr["data_format"]
            changed = True
    return import_again(graph, function) if changed else function


def plain_zeros(function):
    """The same frozen concrete function, in which 0 and -0 have one place.

    keras.ops.argmax and argmin put the least normal number in the place of -0, by bits.
    """
    graph = function.graph.as_graph_def()
    changed = False
    for node in [node for node in graph.node if node.op == "SelectV2"]:
        _, least, x = function.graph.get_operation_by_name(node.name).inputs
        value = tf.get_static_value(least)
        if x.dtype == tf.float32 and value is not None and np.all(value == -LEAST_NORMAL):
            kind = node.attr["T"].type
            node.ClearField("attr")
            node.op, node.attr["T"].type = "Identity", kind
            node.input[:] = [x.name]
            changed = True
    return import_again(graph, function) if changed else function


def is_constant(operation):
    """Whether an operation computes something of constants alone, such as the bias of a layer."""
    if not operation.inputs:
        return operation.type == "Const"
    return all(is_constant(x.op) for x in operation.inputs)


def compute_instead(function, find):
    """The same frozen concrete function, some operations computed otherwise.

    Args:
        function: frozen concrete function.
        find: function of an operation that returns a function of its inputs, or None to keep it.
    """
    graph = function.graph.as_graph_def()
    changed = False
    for node in list(graph.node):
        operation = function.graph.get_operation_by_name(node.name)
        compute = find(operation)
        if compute is not None:
            specs = [tf.TensorSpec(x.shape, x.dtype) for x in operation.inputs]
            traced = tf.function(compute, autograph=False).get_concrete_function(*specs)
            graph.library.function.append(traced.function_def)
            call_instead(node, traced, len(specs))
            changed = True
    return import_again(graph, function) if changed else function


def call_instead(node, traced, inputs):
    """Makes of a node of a graph a call of a concrete function of so many inputs of its type."""
    kind = node.attr["T"].type
    node.ClearField("attr")
    node.op = "PartitionedCall"
    node.attr["f"].func.name = traced.function_def.signature.name
    node.attr["Tin"].list.type.extend([kind] * inputs)
    node.attr["Tout"].list.type.append(kind)


def import_again(graph, function):
    """A changed graph of a frozen concrete function as one again."""
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    names = [[tensor.name for tensor in ends] for ends in (function.inputs, function.outputs)]
    return convert_variables_to_constants_v2(imported.prune(*names))
