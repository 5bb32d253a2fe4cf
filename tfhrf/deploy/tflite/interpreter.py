"""TensorFlow Lite's interpreter on this machine."""

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
        except RuntimeError as error:
            # TensorFlow's own operators run in this one only.
            if "Flex delegate" not in str(error):
                raise
            return make(content, keep_all, kinds.AUTO)


def make(content, keep_all, kind):
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_op_resolver_type=kind,
        experimental_preserve_all_tensors=keep_all,
    )
    interpreter.allocate_tensors()
    return interpreter
