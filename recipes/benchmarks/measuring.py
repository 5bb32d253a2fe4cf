"""Measurements that stand in docs/results.md, as ratios within one process or of like processes."""

import multiprocessing
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfhrf.hrf.fold import fold
from tfhrf.hrf.layers import HRFDense
from tfhrf.studies.training import TrainingSettings, compile_model


def alternate(functions, rounds=20):
    """Times functions in turn, A B C A B C ..., so that a noisy machine is noisy for all.

    Args:
        functions: functions without arguments; each is called three times first to warm up.
        rounds: number of timed calls of each.

    Returns:
        float64 array of shape (functions, rounds), seconds.
    """
    for function in functions * 3:
        function()
    seconds = np.empty((len(functions), rounds))
    for i in range(rounds):
        for j, function in enumerate(functions):
            start = time.perf_counter()
            function()
            seconds[j, i] = time.perf_counter() - start
    return seconds


def folding_error(build, frames, mels):
    """Largest difference of logits, folded against unfolded, over the largest logit.

    Args:
        build: function without arguments that returns a model of (batch, frames, mels).
        frames, mels: shape of the windows.

    Returns:
        float. All weights are moved away from their initial values by noise first, so that no
        bias or scale is trivial.
    """
    model = build()
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.02, weight.shape))
    windows = rng.standard_normal((8, frames, mels)).astype("f4")
    before = model(windows, training=False).numpy()
    after = fold(model)(windows, training=False).numpy()
    return float(np.abs(after - before).max() / np.abs(before).max())


def training_step(build, batch_size=32):
    """One training step of a model on a fixed random batch, as a function without arguments."""
    model = build()
    compile_model(model, TrainingSettings(), steps_per_epoch=10)
    rng = np.random.default_rng(0)
    windows = tf.constant(rng.standard_normal((batch_size, *model.input_shape[1:])), tf.float32)
    labels = tf.one_hot(rng.integers(0, model.output_shape[-1], batch_size), model.output_shape[-1])
    return lambda: model.train_on_batch(windows, labels)


def in_own_process(function, *args):
    """Calls a function in a process of its own, whose memory is free again afterwards.

    Args:
        function, args: picklable.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def step_seconds(builds, rounds=20):
    """Times training steps of several models in turn; see `training_step` and `alternate`."""
    return alternate([training_step(build) for build in builds], rounds)


def peak_memory(build, steps=5):
    """Peak resident memory of training steps above what the process had before the model, bytes.

    Meaningful in a process that has trained nothing else: call it through `in_own_process`.
    """
    build()(tf.zeros((1, *build().input_shape[1:])))  # what the libraries allocate once
    before = status_bytes("VmRSS")
    step = training_step(build)
    for _ in range(steps):
        step()
    return status_bytes("VmHWM") - before


def status_bytes(field):
    """A figure of this process from the kernel (Linux)."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"The kernel does not report {field}")


def feed_forward_steps(batch_size=32, frames=300, units=64, wide=128, inner=256):
    """Training steps of one feed-forward network alone: plain, merged kernel, two products.

    Returns:
        Dict of functions without arguments.
    """
    rng = np.random.default_rng(0)
    inputs, targets = (
        tf.constant(rng.standard_normal((batch_size, frames, units)), tf.float32) for _ in range(2)
    )
    forms = {
        "plain": keras.layers.Dense,
        "merged": lambda n: HRFDense(n, expansion=inner // n),
        "two products": lambda n: keras.Sequential(
            [keras.layers.Dense(inner, use_bias=False), keras.layers.Dense(n)]
        ),
    }

    def step_of(form):
        first, second = form(wide), form(units)
        optimizer = keras.optimizers.SGD(1e-3)

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                outputs = second(tf.nn.relu(first(inputs)))
                loss = tf.reduce_mean(tf.square(outputs - targets))
            weights = first.trainable_weights + second.trainable_weights
            optimizer.apply(tape.gradient(loss, weights), weights)
            return loss

        first.build(inputs.shape)
        second.build((batch_size, frames, wide))
        optimizer.build(first.trainable_weights + second.trainable_weights)
        return lambda: step().numpy()

    return {name: step_of(form) for name, form in forms.items()}


def dense_alone(build):
    """The Dense layers of a model in a chain, with the shapes they have there and nothing else.

    Splits and means only bring what one layer returns to the shape that the next one reads.

    Args:
        build: function without arguments that returns a functional model, of Dense layers in a
            row.

    Returns:
        keras.Model with the same inputs.
    """
    model = build()
    x = inputs = keras.Input(model.input_shape[1:])
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            *tokens, width = layer.input.shape[1:]
            if len(x.shape) > len(layer.input.shape):
                x = ops.mean(x, axis=1)
            elif tokens and tokens[0] < x.shape[1]:
                x = ops.split(x, tokens, axis=1)[0]
            if width < x.shape[-1]:
                x = ops.split(x, [width], axis=-1)[0]
            x = keras.layers.Dense(layer.units, layer.activation)(x)
    return keras.Model(inputs, x)


def stock_transformer(input_shape, classes, blocks=12, heads=8, dropout=0.1):
    """A Transformer of stock Keras layers, with SpeechFormer's widths and all frames attended to.

    Post-norm, feed-forward networks half as wide as the frames, no positions, and no dropout of
    attention weights, which would take still more time and memory.

    Args:
        input_shape: (frames, mels), mels a multiple of `heads`.
        classes: number of classes.
        blocks, heads, dropout: as in the published SpeechFormer.

    Returns:
        keras.Model, (batch, frames, mels) to logits.
    """
    units = input_shape[1]
    layers = keras.layers
    x = inputs = keras.Input(input_shape)
    for _ in range(blocks):
        y = layers.MultiHeadAttention(heads, units // heads)(x, x)
        x = layers.LayerNormalization()(x + layers.Dropout(dropout)(y))
        y = layers.Dropout(dropout)(layers.Dense(units // 2, activation="relu")(x))
        y = layers.Dropout(dropout)(layers.Dense(units)(y))
        x = layers.LayerNormalization()(x + y)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x))
