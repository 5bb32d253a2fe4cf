"""Ranges that clip, and balanced channels: integers come nearer, the function is the same."""

import keras
import numpy as np
import pytest
from generated_c import compare, needs_compiler
from keras import layers
from needs import needs_tflm
from tiny_models import disturb, forward, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import convert, fidelity
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.balance import balance


def spread_channels():
    """Convolutions and Dense layers between which the sizes of channels differ a thousandfold."""
    stack = [
        layers.Conv2D(8, 3, padding="same", activation="relu", name="first"),
        layers.DepthwiseConv2D(3, padding="same", name="second"),
        layers.Conv2D(16, 1, activation="relu", name="third"),
        layers.Reshape((12, 64)),
        layers.Dense(24, "relu", name="fourth"),
        layers.Dense(8, name="fifth"),
    ]
    model = keras.Sequential([keras.Input((12, 4, 2)), *stack])
    disturb(model)
    for name, following in (("first", "second"), ("second", "third"), ("fourth", "fifth")):
        one, other = model.get_layer(name), model.get_layer(following)
        channels = one.bias.shape[0]
        sizes = 2.0 ** np.linspace(-5, 5, channels) * np.linspace(1, 1.3, channels)
        axis = 2 if name == "second" else -1
        kernel, bias = one.kernel.numpy(), one.bias.numpy()
        one.kernel.assign(np.moveaxis(np.moveaxis(kernel, axis, -1) * sizes, -1, axis))
        one.bias.assign(bias * sizes)
        axis = 0 if following == "fifth" else 2
        kernel = other.kernel.numpy()
        other.kernel.assign(np.moveaxis(np.moveaxis(kernel, axis, -1) / sizes, -1, axis))
    return model


def test_balancing_keeps_the_function_to_the_last_bit():
    model, x = spread_channels(), normal(20, 12, 4, 2)
    graph = convert.float_graph(model, "int8")
    before = graphs.read(graphs.write(graph))
    assert balance(graph, [x]) == 4
    runs = [fidelity.run(one, [x]) for one in (before, graph)]
    (index,) = before.subgraphs[0].outputs
    np.testing.assert_array_equal(runs[0][index], runs[1][index])
    # What is between has changed.
    first = before.subgraphs[0].operators[0].outputs[0]
    assert (runs[0][first] != runs[1][first]).any()


@needs_tflm
@needs_compiler
def test_balanced_channels_lose_less(tmp_path):
    model, x = spread_channels(), normal(60, 12, 4, 2)
    expected = forward(model, x)
    decibels = {}
    for ranges in ("minmax", "best"):
        content = tfhrf.to_tflite(model, x, ranges=ranges)
        decibels[ranges] = signal_to_noise(expected, runners.predict(content, x))
    # Measured: -7.5 dB and 7.3.
    assert decibels["best"] > decibels["minmax"] + 10
    compare(content, tmp_path, 20)


@needs_tflm
@needs_compiler
@pytest.mark.parametrize(("ranges", "gain"), [("percentile", 5), ("mse", 1)])
def test_a_value_in_many_is_clipped(ranges, gain, tmp_path):
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(24, "tanh"), *(layers.Dense(24) for _ in range(3))]
    model = keras.Sequential([keras.Input((64, 16)), *hidden, layers.Dense(4, "tanh")])
    disturb(model)
    x = normal(80, 64, 16)
    # In one token the first layer is saturated, so that all behind it is largest.
    rare = x.copy()
    rare[7, 3] = 30 * np.sign(rare[7, 3])
    expected = forward(model, x)
    found = {
        how: signal_to_noise(expected, runners.predict(tfhrf.to_tflite(model, rare, ranges=how), x))
        for how in ("minmax", ranges)
    }
    # Measured: 11.1 dB; 17.7 and 12.9.
    assert found[ranges] > found["minmax"] + gain
    compare(tfhrf.to_tflite(model, rare, ranges=ranges), tmp_path, 10)


def test_other_ranges_are_refused():
    with pytest.raises(ValueError, match=r"`ranges` must be one of .*Received: 'all'"):
        tfhrf.to_tflite(spread_channels(), normal(4, 12, 4, 2), ranges="all")
