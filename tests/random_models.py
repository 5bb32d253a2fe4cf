"""Random small models: a few layers of any kind in a row, on vectors, frames or images."""

import random

import keras
from keras import layers, ops
from tiny_models import disturb

LARGEST = 2000  # elements of a tensor
SHAPES = [(1,), (10,), (1, 8), (5, 5), (7, 3), (16, 1), (6, 5, 3), (1, 8, 1), (3, 3, 3)]


def odd(draw, most):
    return draw.randint(1, min(5, most))


OF_ANY = [
    lambda x, draw: layers.Dense(draw.choice([1, 3, 8]), draw.choice([None, "relu", "tanh"]))(x),
    lambda x, draw: layers.Add()([x, layers.Dense(x.shape[-1])(x)]),
    lambda x, draw: x + layers.Dense(1)(x),
    lambda x, draw: x * layers.Dense(x.shape[-1], "sigmoid")(x),
    lambda x, draw: x - ops.tanh(x),
    lambda x, draw: layers.Concatenate()([x, layers.Dense(3)(x)]),
    lambda x, draw: layers.Maximum()([x, layers.Dense(x.shape[-1])(x)]),
    lambda x, draw: layers.BatchNormalization()(x),
    lambda x, draw: layers.Activation(draw.choice(["silu", "relu6", "sigmoid", "leaky_relu"]))(x),
    lambda x, draw: ops.square(x),
    lambda x, draw: ops.clip(x, -1, 1),
    lambda x, draw: draw.choice([-1.5, 0.3]) * x + draw.choice([0.0, 0.7]),
]
OF_FRAMES = [
    lambda x, draw: layers.Conv1D(
        draw.choice([1, 6]),
        odd(draw, x.shape[1]),
        strides=draw.choice([1, 2]),
        padding=draw.choice(["same", "valid", "causal"]),
    )(x),
    lambda x, draw: layers.Conv1D(4, 3, dilation_rate=2, padding="causal")(x),
    lambda x, draw: layers.DepthwiseConv1D(odd(draw, x.shape[1]), padding="same")(x),
    lambda x, draw: layers.MaxPooling1D(min(2, x.shape[1]))(x),
    lambda x, draw: layers.GlobalAveragePooling1D()(x),
    lambda x, draw: layers.Permute((2, 1))(x),
    lambda x, draw: layers.LSTM(4)(x) if x.shape[1] < 9 else x,
    lambda x, draw: layers.Bidirectional(layers.GRU(3))(x) if x.shape[1] < 9 else x,
    lambda x, draw: layers.MultiHeadAttention(2, 3)(x, x) if x.shape[1] > 1 else x,
    lambda x, draw: ops.einsum("bt,btd->bd", layers.Flatten()(layers.Dense(1)(x)), x),
    lambda x, draw: x - ops.mean(x, 1, keepdims=True),
    lambda x, draw: x + ops.mean(x, 2, keepdims=True),
    lambda x, draw: x[:, ::2],
    lambda x, draw: layers.Conv1DTranspose(3, odd(draw, 4), strides=2)(x),
    lambda x, draw: layers.Reshape((x.shape[1], 1, x.shape[2]))(x),
]
OF_IMAGES = [
    lambda x, draw: layers.Conv2D(4, (odd(draw, x.shape[1]), 1), padding="same")(x),
    lambda x, draw: layers.DepthwiseConv2D((1, odd(draw, x.shape[2])), padding="same")(x),
    lambda x, draw: layers.AveragePooling2D((1, min(2, x.shape[2])), padding="same")(x),
    lambda x, draw: layers.GlobalAveragePooling2D()(x),
    lambda x, draw: layers.Reshape((x.shape[1], -1))(x),
    lambda x, draw: layers.Conv2DTranspose(2, 2, strides=2, padding="same")(x),
    lambda x, draw: x * ops.mean(x, (1, 2), keepdims=True),
]
BY_RANK = {2: OF_ANY, 3: OF_ANY + OF_FRAMES, 4: OF_ANY + OF_IMAGES}


def random_model(seed):
    """A Keras model that depends on the seed alone."""
    draw = random.Random(seed)
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input(draw.choice(SHAPES))
    for _ in range(draw.randint(2, 6)):
        y = draw.choice(BY_RANK[len(x.shape)])(x, draw)
        size = 1
        for length in y.shape[1:]:
            size *= length
        x = y if 0 < size <= LARGEST else x
    model = keras.Model(inputs, layers.Dense(3)(x))
    disturb(model)
    return model
