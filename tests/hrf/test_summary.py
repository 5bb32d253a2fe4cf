import keras
import pytest
from keras import layers, ops

from tfhrf.hrf.expand import expand
from tfhrf.hrf.layers import HRFDense
from tfhrf.hrf.summary import summary


def sequential(shape, *stack):
    return keras.Sequential([keras.Input(shape), *stack])


def macs(model):
    """Multiply-accumulates of a model with nothing to fold."""
    costs = summary(model)
    assert costs.trained == costs.folded
    assert costs.merging == 0
    return costs.trained.multiply_accumulates


@pytest.mark.parametrize(
    ("shape", "layer", "expected"),
    [
        ((6,), layers.Dense(5), 6 * 5),
        ((7, 6), layers.Dense(5, use_bias=False), 7 * 6 * 5),
        ((7, 6), layers.EinsumDense("abc,cde->abde", (None, 2, 3)), 7 * 6 * 2 * 3),
        ((2, 7, 6), layers.EinsumDense("...bc,cd->...bd", (7, 3)), 2 * 7 * 6 * 3),
        ((20, 4), layers.Conv1D(6, 3, padding="same"), 20 * 3 * 4 * 6),
        ((20, 4), layers.Conv1D(6, 3, strides=2), 9 * 3 * 4 * 6),
        ((20, 4), layers.Conv1D(6, 3, groups=2, padding="same"), 20 * 3 * 2 * 6),
        ((9, 8, 4), layers.Conv2D(6, (3, 5), padding="same"), 9 * 8 * 15 * 4 * 6),
        ((20, 4), layers.DepthwiseConv1D(3, padding="same"), 20 * 3 * 4),
        ((9, 8, 4), layers.DepthwiseConv2D(3, depth_multiplier=2), 7 * 6 * 9 * 8),
        ((20, 4), layers.SeparableConv1D(6, 3, padding="same"), 20 * (3 * 4 + 4 * 6)),
        (
            (9, 8, 4),
            layers.SeparableConv2D(6, 3, depth_multiplier=2),
            7 * 6 * (9 * 8 + 8 * 6),
        ),
        ((7, 6), layers.TimeDistributed(layers.Dense(5)), 7 * 6 * 5),
        ((7, 6), layers.ReLU(), 0),
    ],
)
def test_layers(shape, layer, expected):
    model = sequential(shape, layer, layers.ReLU())
    costs = summary(model)
    assert macs(model) == expected
    assert costs.uncounted == ()
    assert costs.trained.parameters == model.count_params()
    assert costs.trained.bytes == sum(w.numpy().nbytes for w in model.weights)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        (lambda q, k: ops.matmul(q, ops.transpose(k, (0, 2, 1))), 7 * 6 * 7),
        (lambda q, k: q @ ops.transpose(k, (0, 2, 1)), 7 * 6 * 7),
        (lambda q, k: layers.Dot(axes=2)([q, k]), 7 * 6 * 7),
        (lambda q, k: layers.Dot(axes=(1, 1))([q, k]), 6 * 7 * 6),
        (lambda q, k: ops.einsum("bid,bjd->bij", q, k), 7 * 7 * 6),
        (lambda q, k: ops.einsum("...id,...jd->...ij", q, k), 7 * 7 * 6),
    ],
)
def test_products_of_activations(scores, expected):
    inputs = keras.Input((7, 6))
    assert macs(keras.Model(inputs, scores(inputs, ops.relu(inputs)))) == expected


def test_nested_and_shared_layers_count_once_per_call():
    shared = layers.Dense(6, activation="relu")
    inner = keras.Input((None, 6))
    nested = keras.Model(inner, layers.Conv1D(6, 3, padding="same")(shared(inner)))
    inputs = keras.Input((10, 6))
    model = keras.Model(inputs, nested(nested(shared(inputs)))[:, :5])
    assert macs(model) == 3 * 10 * 36 + 2 * 10 * 3 * 36
    assert summary(model).trained.parameters == 42 + 3 * 36 + 6


def test_kinds_that_are_not_counted_are_named():
    costs = summary(sequential((7, 6), layers.LSTM(4), layers.LayerNormalization()))
    assert costs.uncounted == ("LSTM", "LayerNormalization")
    assert "Not counted: LSTM, LayerNormalization." in str(costs)
    assert "Not counted" not in str(summary(sequential((6,), layers.Dense(2))))


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize(("input_dim", "units"), [(6, 4), (4, 6)])
def test_as_trained_adds_the_merging_to_one_product(depth, input_dim, units):
    inner = 2 * units
    layer = HRFDense(units, expansion=2, depth=depth, activation="relu")
    costs = summary(sequential((7, input_dim), layer))
    # Factors are multiplied onto the outer one with fewer rows or columns.
    product = min(input_dim, units) * inner * inner * (depth - 2) + input_dim * inner * units
    assert costs.merging == product
    assert costs.folded.multiply_accumulates == 7 * input_dim * units
    assert costs.trained.multiply_accumulates == 7 * input_dim * units + product
    inner_parameters = input_dim * inner + (depth - 2) * inner * inner + inner * units
    assert costs.trained.parameters == inner_parameters + units
    assert costs.folded.parameters == input_dim * units + units


def test_folded_costs_are_those_of_the_plain_model():
    inputs = keras.Input((7, 6))
    x = layers.TimeDistributed(layers.Dense(12, activation="relu"))(inputs)
    model = keras.Model(inputs, layers.Dense(3)(layers.LayerNormalization()(x)))
    plain, expanded = summary(model), summary(expand(model, where="*"))
    assert expanded.folded == plain.folded == plain.trained
    assert expanded.trained.parameters > plain.trained.parameters
    # TimeDistributed calls its layer, and so merges its kernel, once per step in time.
    assert expanded.merging == 7 * 6 * 48 * 12 + 12 * 12 * 3


def test_table():
    model = sequential((7, 6), HRFDense(100, activation="relu"), layers.LayerNormalization())
    assert str(summary(model)).splitlines() == [
        "                                as trained          folded",
        "parameters                          42,700             900",
        "multiply-accumulates               244,200           4,200",
        "  of them merging kernels          240,000               0",
        "bytes (float32)                    170,800           3,600",
        "Multiply-accumulates are those of one example; merging is once per step.",
        "Not counted: LayerNormalization.",
    ]


def test_an_unknown_dimension_is_named():
    model = sequential((None, 6), layers.Dense(3))
    name = model.inputs[0].name
    with pytest.raises(ValueError, match=f"input '{name}' to have a fixed shape. Received: "):
        summary(model)


def test_an_output_of_unknown_shape_is_named():
    @keras.saving.register_keras_serializable(package="tests")
    class Positive(layers.Layer):
        def call(self, inputs):
            return ops.convert_to_tensor(inputs)

        def compute_output_shape(self, input_shape):
            return (input_shape[0], None)

    with pytest.raises(ValueError, match=r"output of 'positive' to have a fixed shape. Received: "):
        summary(sequential((6,), Positive(name="positive"), layers.ReLU()))


def test_subclassed_models_are_refused():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ValueError, match="functional or Sequential"):
        summary(Subclassed())
