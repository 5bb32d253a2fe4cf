"""Functions that nobody registered: copies of layers have the functions themselves."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

from tfhrf.hrf.expand import expand
from tfhrf.hrf.fold import fold


def gate(x):
    return x * ops.sigmoid(2.0 * x)


def relu(x):
    """Not Keras's function of this name."""
    return 3.0 * ops.relu(x)


def size(weights):
    return ops.sum(ops.abs(weights))


class Activated(layers.Layer):
    """Anyone's layer, which takes a function and writes it down as Keras does."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = keras.activations.get(function)

    def call(self, inputs):
        return self.function(inputs)

    def get_config(self):
        function = keras.activations.serialize(self.function)
        return {**super().get_config(), "function": function}


@pytest.mark.parametrize(
    "function", [gate, relu, lambda x: 2.0 * x, functools.partial(ops.leaky_relu, negative_slope=3)]
)
def test_activations_stay(function):
    inputs = keras.Input((6, 4))
    x = layers.Dense(5, activation=function, name="dense")(inputs)
    x = layers.Conv1D(3, 2, activation=function, name="conv")(x)
    x = layers.Activation(function, name="activation")(x)
    new = fold(expand(keras.Model(inputs, x), where="dense"))
    assert all(layer.activation is function for layer in new.layers[1:])


class Doubled(layers.Dense):
    """A Dense of anyone's, which hands arguments on that it does not name."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)

    def call(self, inputs):
        return 2.0 * super().call(inputs)

    def get_config(self):
        return {**super().get_config()}


def test_those_that_a_subclass_hands_on_stay():
    model = keras.Sequential([keras.Input((4,)), Doubled(3, activation=gate), layers.Dense(2)])
    assert expand(model, where="dense*").layers[0].activation is gate


@pytest.mark.parametrize("function", [gate, keras.activations.silu, lambda x: 2.0 * x])
def test_those_of_other_layers_stay(function):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5), Activated(function)])
    assert expand(model, where="*").layers[1].function is function


def test_penalties_and_initializers_stay():
    arguments = {"kernel_regularizer": size, "activity_regularizer": size}
    dense = layers.Dense(5, kernel_initializer=lambda shape, dtype: ops.ones(shape), **arguments)
    model = keras.Sequential([keras.Input((4,)), dense])
    expanded = expand(model, where="*")
    new = fold(expanded).layers[0]
    assert new.kernel_initializer is dense.kernel_initializer
    assert new.kernel_regularizer is new.activity_regularizer is size
    x = np.ones((2, 4), "f4")
    losses = []
    for one in (model, expanded):
        one(x)
        losses.append(float(sum(one.losses)))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


class Scaled(keras.Operation):
    """An operation of anyone's, with an argument that Keras cannot write to a file."""

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, x):
        return x * self.scale

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def test_operations_that_cannot_be_written_down_are_copied():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Scaled(np.arange(3, dtype="f4"))(layers.Dense(3)(inputs)))
    assert expand(model, where="*").layers[-1].units == 3


@pytest.mark.parametrize("error", [RuntimeError("no\nway"), KeyError("width")])
def test_a_layer_that_cannot_be_written_down_is_named(error):
    class Broken(layers.Layer):
        def call(self, inputs):
            return inputs

        def get_config(self):
            raise error

    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), Broken(name="last")])
    with pytest.raises(ValueError, match=r"^Layer 'last' cannot be made again .*: Broken, .*$"):
        expand(model, where="*")
