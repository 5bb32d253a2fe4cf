"""Recurrent layers that compute step after step: TFLM has no loop for integers."""

import contextlib

import keras
import tensorflow as tf

from tfhrf.hrf.rebuild import walk


@contextlib.contextmanager
def unrolled(model):
    """Has the recurrent layers of a model unrolled while it is traced."""
    with contextlib.ExitStack() as stack:
        for layer in walk(model):
            if isinstance(layer, keras.layers.RNN) and not layer.unroll:
                layer.unroll = True
                stack.callback(setattr, layer, "unroll", False)
                if layer.go_backwards and layer.zero_output_for_mask:
                    stack.enter_context(masked_backwards(layer))
        yield


@contextlib.contextmanager
def masked_backwards(layer):
    """Has outputs of masked frames be zero in the order in which a layer reads the frames.

    Keras does so where it loops, but forgets to reverse the mask where it unrolls.
    """
    inner_loop = layer.inner_loop

    def in_order(sequences, initial_state, mask, training=False):
        last, outputs, states = inner_loop(sequences, initial_state, mask, training)
        if mask is not None:
            outputs = tf.where(tf.reverse(mask, [1])[..., None], outputs, 0.0)
        return last, outputs, states

    layer.zero_output_for_mask, layer.inner_loop = False, in_order
    try:
        yield
    finally:
        layer.zero_output_for_mask = True
        del layer.inner_loop
