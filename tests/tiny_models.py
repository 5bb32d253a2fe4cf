"""Small models of stock Keras layers, and data for them, that the export tests share."""

import math

import keras
import numpy as np
from keras import layers, ops

import tfhrf


def encoder(frames=60, mels=12, width=16, heads=2, hidden=32, blocks=2, activation="silu"):
    """A pre-norm Transformer encoder with a strided stem; 4 classes."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((frames, mels), name="features")
    x = layers.Conv1D(width, 5, strides=4, padding="same", activation="relu", name="stem")(inputs)
    tokens = x.shape[1]
    angles = np.arange(tokens)[:, None] / 100.0 ** (np.arange(width) / width)
    x = x + np.where(np.arange(width) % 2, np.cos(angles), np.sin(angles)).astype("float32")
    for block in range(blocks):

        def split_heads(y):
            return layers.Permute((2, 1, 3))(
                layers.Reshape((tokens, heads, width // heads))(y),
            )

        y = layers.LayerNormalization(name=f"attention_norm_{block}")(x)
        query = layers.Dense(width, name=f"query_{block}")(y) * (1 / math.sqrt(width // heads))
        key = layers.Dense(width, name=f"key_{block}")(y)
        value = layers.Dense(width, name=f"value_{block}")(y)
        scores = ops.matmul(split_heads(query), ops.transpose(split_heads(key), (0, 1, 3, 2)))
        y = ops.matmul(layers.Softmax()(scores), split_heads(value))
        y = layers.Reshape((tokens, width))(layers.Permute((2, 1, 3))(y))
        y = layers.Dropout(0.1)(layers.Dense(width, name=f"output_{block}")(y))
        x = layers.Add()([x, y])
        y = layers.LayerNormalization(name=f"hidden_norm_{block}")(x)
        y = layers.Dense(hidden, activation=activation, name=f"hidden_{block}")(y)
        x = layers.Add()([x, layers.Dense(width, name=f"shrink_{block}")(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(name="last_norm")(x))
    model = keras.Model(inputs, layers.Dense(4, name="classifier")(x))
    disturb(model)
    return model


def chain(*stack, shape=(12, 8)):
    """A model of the layers or functions in a row, with weights that are not the initial ones."""
    inputs = keras.Input(shape, name="x")
    x = inputs
    for step in stack:
        x = (step if isinstance(step, keras.Layer) else layers.Lambda(step))(x)
    model = keras.Model(inputs, x)
    disturb(model)
    return model


def disturb(model, seed=0):
    """Gives every layer weights that look trained: no zeros, no ones."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.weights:
            noise = rng.standard_normal(weight.shape)
            if "variance" in weight.name:
                weight.assign(np.exp(0.3 * noise))
            elif "gamma" in weight.name:
                weight.assign(1 + 0.3 * noise)
            elif len(weight.shape) == 1:
                weight.assign(0.2 * noise)
            else:
                weight.assign(1.5 * weight)


def settle(model, inputs, steps=30):
    """Gives batch normalizations the statistics of what reaches them, as training does."""
    for _ in range(steps):
        model(inputs, training=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def sounds(examples, frames=60, mels=12, seed=0):
    """Noise with a level, a tilt and a slow wave: (examples, frames, mels), unlike each other."""
    rng = np.random.default_rng(seed)
    level = 2 * rng.standard_normal((examples, 1, 1))
    wave = np.sin(np.arange(frames) / rng.uniform(5, 50, (examples, 1)))[:, :, None]
    tilt = rng.standard_normal((examples, 1, mels))
    noise = rng.standard_normal((examples, frames, mels))
    return (noise + level + wave * tilt).astype("float32")


def forward(model, inputs):
    """Float outputs of a Keras model at inference, as an array."""
    return ops.convert_to_numpy(model(inputs, training=False))


def signal_to_noise(expected, found):
    """dB between the spread of expected values over the examples and the error."""
    spread = np.mean((expected - expected.mean(axis=0)) ** 2)
    return 10 * np.log10(spread / np.mean((expected - found) ** 2))


def examples_for(model, count=30):
    """Random examples, an array for each input of a model."""
    return [normal(count, *x.shape[1:], seed=i) for i, x in enumerate(model.inputs)]


def given_to(model):
    """Random examples for a model, as it takes them."""
    examples = examples_for(model)
    return examples[0] if len(examples) == 1 else examples


def convert(model, precision="int8", **arguments):
    """bytes of the graph of a model whose weights look trained."""
    disturb(model)
    return tfhrf.to_tflite(model, given_to(model), precision=precision, **arguments)


def recurrent(layer, frames=7):
    """A function that makes a model of a recurrent layer."""

    def make():
        return keras.Sequential([keras.Input((frames, 4)), layer(), layers.Dense(3)])

    return make
