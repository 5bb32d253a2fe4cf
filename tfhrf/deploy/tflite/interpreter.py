"""TensorFlow Lite's interpreter on this machine."""

import warnings

import tensorflow as tf


def make_interpreter(content, keep_all=False):
    """TensorFlow Lite's interpreter with its reference kernels."""
    with warnings.catch_warnings():
        # TensorFlow 2.20 announces that tf.lite will move to another package.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(
            model_content=content,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=keep_all,
        )
    interpreter.allocate_tensors()
    return interpreter
