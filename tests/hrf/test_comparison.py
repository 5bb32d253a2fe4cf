"""What models are compared on: inputs that they take, outputs that are finite."""

import keras
import pytest
from keras import layers, ops

from tfhrf.hrf.expand import expand
from tfhrf.hrf.fold import fold


def test_a_model_of_logarithms_is_compared_where_it_has_them():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(3)(ops.log(inputs)))
    expand(model, where="*")


def test_a_length_that_the_model_takes_is_found():
    inputs = keras.Input((None, 4))
    x = inputs
    for _ in range(5):
        x = layers.MaxPooling1D()(x)  # of 16 frames none is left
    model = keras.Model(inputs, layers.Dense(3)(x))
    expand(model, where="*")
    inputs = keras.Input((None,))
    x = layers.Embedding(12, 4)(ops.cumsum(ops.ones_like(inputs), 1))  # knows 12 places
    fold(expand(keras.Model(inputs, layers.Dense(3)(x)), where="*"))


def test_words_are_compared():
    words = layers.StringLookup(vocabulary=["one", "three"])
    inputs = keras.Input((3,), dtype="string")
    x = layers.Embedding(3, 4)(words(inputs))
    expand(keras.Model(inputs, layers.Dense(3)(x)), where="*")


def test_a_model_that_takes_no_random_inputs_is_named():
    inputs = keras.Input((None, 4), name="x")
    x = layers.Reshape((7, 4))(inputs)
    model = keras.Model(inputs, layers.Dense(3)(x), name="net")
    with pytest.raises(
        ValueError, match=r"^Model 'net' cannot be called on random .*Received: .*$"
    ):
        expand(model, where="*")
