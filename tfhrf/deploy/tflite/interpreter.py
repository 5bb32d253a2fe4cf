"""TensorFlow Lite's interpreter on this machine."""

import warnings

import tensorflow as tf

from tfhrf.deploy.tflite import graph as graphs


def make_interpreter(content, keep_all=False):
    """TensorFlow Lite's interpreter with its reference kernels; others where it lacks some, or
    where they are wrong.
    """
    kinds = tf.lite.experimental.OpResolverType
    others = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with warnings.catch_warnings():
        # TensorFlow 2.20 announces that tf.lite will move to another package.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
        if has_wrong_reference(graphs.read(content)):
            return make(content, keep_all, others)
        try:
            return make(content, keep_all, kinds.BUILTIN_REF)
        except ValueError as error:
            if "Didn't find op" not in str(error):
                raise
            return make(content, keep_all, others)


def has_wrong_reference(graph):
    """Whether reference kernels of TensorFlow 2.16 compute something else than what TensorFlow
    Lite's other kernels and TensorFlow Lite Micro do: of SUM in int8 and of FULLY_CONNECTED in int8
    with a scale for each output.
    """
    for subgraph in graph.subgraphs:
        for operator in subgraph.operators:
            name = graphs.operator_name(graph, operator)
            if name not in ("SUM", "FULLY_CONNECTED"):
                continue
            values, weights = (subgraph.tensors[i] for i in operator.inputs[:2])
            scales = weights.quantization and weights.quantization.scale
            many = scales is not None and len(scales) > 1
            if graphs.type_name(values) == "int8" and (name == "SUM" or many):
                return True
    return False


def make(content, keep_all, kind):
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_op_resolver_type=kind,
        experimental_preserve_all_tensors=keep_all,
    )
    interpreter.allocate_tensors()
    return interpreter


def input_places(interpreter):
    """[(which input of the Keras model, index of its tensor)], as `freeze` named them.

    The converter may order them otherwise.
    """
    return [
        (graphs.input_number(details["name"]), details["index"])
        for details in interpreter.get_input_details()
    ]


def feed(interpreter, examples, example):
    """Gives an interpreter of a float graph one of the examples, a list of an array per input."""
    kinds = {details["index"]: details["dtype"] for details in interpreter.get_input_details()}
    for slot, index in input_places(interpreter):
        values = examples[slot][example : example + 1]
        interpreter.set_tensor(index, values.astype(kinds[index]))
