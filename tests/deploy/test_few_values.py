"""Kernels of few values keep few in integers: one scale, whatever the quantizer would give."""

import keras
import numpy as np
import pytest
from keras import layers
from needs import needs_tflm
from tiny_models import disturb, forward, normal, signal_to_noise

import tfhrf
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.compressed import compressed

SHAPE = (9, 7, 16)


def model_of(layer):
    model = keras.Sequential([keras.Input(SHAPE), layer, layers.Conv2D(3, 1)])
    disturb(model)
    return model


def cluster(layer, count, seed=0):
    """Gives the kernel of a layer the nearest of `count` values; channels reach unequally far."""
    kernel = layer.kernel.numpy()
    kernel = kernel * np.geomspace(0.2, 1, kernel.shape[-1])
    values = np.quantile(kernel, (np.arange(count) + 0.5) / count)
    layer.kernel.assign(values[np.abs(kernel[..., None] - values).argmin(-1)])


def kernel_of(content):
    """(integers, scales) of the first kernel."""
    graph = graphs.read(content)
    tensors = graph.subgraphs[0].tensors
    for operator in graph.subgraphs[0].operators:
        if graphs.operator_name(graph, operator) in graphs.PRODUCTS:
            tensor = tensors[operator.inputs[1]]
            data = bytes(graph.buffers[tensor.buffer].data)
            return np.frombuffer(data, np.int8), tensor.quantization.scale
    raise AssertionError


LAYERS = {
    "dense": lambda: layers.Dense(48, "relu"),
    "one tap": lambda: layers.Conv2D(24, 1),
    "window": lambda: layers.Conv2D(24, 3, padding="same", use_bias=False),
    "depthwise": lambda: layers.DepthwiseConv2D((5, 4), activation="relu"),
}


@needs_tflm
@pytest.mark.parametrize("name", LAYERS)
def test_few_values_stay_few(name):
    layer = LAYERS[name]()
    model, x = model_of(layer), normal(40, *SHAPE)
    plain = tfhrf.to_tflite(model, x)
    assert len(np.unique(kernel_of(plain)[0])) > 16
    cluster(layer, 16)
    content = tfhrf.to_tflite(model, x)
    integers, scales = kernel_of(content)
    assert len(np.unique(integers)) <= 16
    assert len(scales) == 1
    # It is written in place.
    assert len(content) <= len(plain)
    assert signal_to_noise(forward(model, x), runners.predict(content, x)) > 30


@needs_tflm
def test_tensorflow_lite_micro_decodes_its_own_form():
    wide, depthwise = layers.Dense(128, "relu"), layers.DepthwiseConv2D(3)
    model = keras.Sequential([keras.Input(SHAPE), wide, depthwise, layers.Conv2D(24, 1)])
    disturb(model)
    for layer in model.layers:
        cluster(layer, 16)
    x = normal(40, *SHAPE)
    content = tfhrf.to_tflite(model, x)
    shorter = compressed(content)
    # Three kernels of 6,272 weights; each has an operator and two tensors more.
    assert len(shorter) < len(content) - 6272 // 2 + 3 * 350
    assert "TFLM_DECODE" in graphs.operators_used(graphs.read(shorter))
    np.testing.assert_array_equal(runners.predict(shorter, x), runners.predict(content, x))


def test_what_cannot_be_compressed_says_so():
    model = model_of(layers.Conv2D(24, 1))
    with pytest.raises(ValueError, match=r"No kernel of 256 weights.*Received: \d+ bytes"):
        compressed(tfhrf.to_tflite(model, normal(40, *SHAPE)))


def test_small_kernels_and_many_values_are_the_quantizers():
    small = layers.DepthwiseConv2D(3)
    model = model_of(small)
    cluster(small, 16)
    assert len(kernel_of(tfhrf.to_tflite(model, normal(40, *SHAPE)))[1]) == 16
    many = layers.Conv2D(24, 1)
    model = model_of(many)
    cluster(many, 17)
    assert len(kernel_of(tfhrf.to_tflite(model, normal(40, *SHAPE)))[1]) == 24


def test_int16x8_is_the_quantizers():
    layer = layers.Conv2D(24, 1)
    model = model_of(layer)
    cluster(layer, 16)
    content = tfhrf.to_tflite(model, normal(40, *SHAPE), precision="int16x8")
    assert len(kernel_of(content)[1]) == 24
