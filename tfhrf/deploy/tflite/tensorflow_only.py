"""Functions of one value that TensorFlow has and TensorFlow Lite lacks, by those that it has."""

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

# Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26; 1.5e-7 off at most.
ERF_SLOPE = 0.3275911
ERF_POWERS = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


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


def spell_out(function):
    """The same frozen concrete function without operators that are in SPELLED_OUT."""
    graph = function.graph.as_graph_def()
    places = [graph.node, *(one.node_def for one in graph.library.function)]
    nodes = [node for place in places for node in place if node.op in SPELLED_OUT]
    for name in {node.op for node in nodes}:
        traced = tf.function(SPELLED_OUT[name]).get_concrete_function(tf.TensorSpec(None))
        graph.library.function.append(traced.function_def)
        for node in [node for node in nodes if node.op == name]:
            kind = node.attr["T"].type
            node.ClearField("attr")
            node.op = "PartitionedCall"
            node.attr["f"].func.name = traced.function_def.signature.name
            node.attr["Tin"].list.type.append(kind)
            node.attr["Tout"].list.type.append(kind)
    imported = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    names = [[tensor.name for tensor in ends] for ends in (function.inputs, function.outputs)]
    return convert_variables_to_constants_v2(imported.prune(*names))
