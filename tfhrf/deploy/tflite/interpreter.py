"""TensorFlow Lite's interpreter on this machine."""

import re
import warnings

import tensorflow as tf


def make_interpreter(content, keep_all=False):
    """TensorFlow Lite's interpreter with its reference kernels; others where it lacks some."""
    kinds = tf.lite.experimental.OpResolverType
    with warnings.catch_warnings():
        # TensorFlow 2.20 announces that tf.lite will move to another package.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
        try:
            return make(content, keep_all, kinds.BUILTIN_REF)
        except ValueError as error:
            if "Didn't find op" not in str(error):
                raise
            return make(content, keep_all, kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


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
        (int(re.sub(r".*input_(\d+).*", r"\1", details["name"])), details["index"])
        for details in interpreter.get_input_details()
    ]


def feed(interpreter, examples, example):
    """Gives an interpreter of a float graph one of the examples, a list of an array per input."""
    kinds = {details["index"]: details["dtype"] for details in interpreter.get_input_details()}
    for slot, index in input_places(interpreter):
        values = examples[slot][example : example + 1]
        interpreter.set_tensor(index, values.astype(kinds[index]))
