"""quantization_report: what an integer graph lost, layer by layer and step by step."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import tree

from tfhrf.compression.evaluate import evaluate, kind_of, pairs_of, real_values
from tfhrf.compression.masked_scores import masks_in, scores_in
from tfhrf.compression.operators import OPERATORS
from tfhrf.deploy import runners
from tfhrf.deploy.tflite import fidelity
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.calibrate import NO_WEIGHT, scores_of
from tfhrf.deploy.tflite.convert import check_folded, float_graph, layer_namer, to_tflite
from tfhrf.deploy.tflite.examples import read_examples
from tfhrf.deploy.tflite.graph_rewrites import MOVERS
from tfhrf.deploy.tflite.lookups import Function
from tfhrf.files import replacing
from tfhrf.hrf.fold import fold, folds
from tfhrf.hrf.rebuild import graph_of, walk

# Enough for decibels; all values of all layers are kept.
EXAMPLES = 32
MOST = 60.0  # dB that a picture shows


class Layer(NamedTuple):
    """An operator of the integer graph that computes something, beside the float graph's.

    Attributes:
        name: of the Keras layer, or of the operator if there is none.
        operator: TensorFlow Lite's name; GATHER for a function of one value, which is a table.
        decibels: signal to noise of its output, all that stands before it included.
        low, high: range of its output in floats; least and largest.
        levels: share of that range that the integers hold, from 0 to 1; less than 1 is clipped.
        peak: largest absolute value of the output over its root mean square.
        weight_decibels: signal to noise of the kernel; None without kernel.
        weight_low, weight_high: range of the kernel.
        weight_peak: largest absolute value of the kernel over its root mean square: outliers.
    """

    name: str
    operator: str
    decibels: float
    low: float
    high: float
    levels: float
    peak: float
    weight_decibels: float | None
    weight_low: float | None
    weight_high: float | None
    weight_peak: float | None


class Step(NamedTuple):
    """The model as it is after a step.

    Attributes:
        name: of the step.
        decibels: signal to noise of the outputs against the model that was given.
        agreement: share of the examples with the same largest output.
        accuracy: share of the examples whose largest output is the label; None without labels.
    """

    name: str
    decibels: float
    agreement: float
    accuracy: float | None


class QuantizationReport(NamedTuple):
    """What `quantization_report` returns; as text, two tables."""

    layers: list[Layer]
    steps: list[Step]

    def draw(self, path: str | os.PathLike[str]) -> None:
        """Draws signal to noise of all layers, outputs and kernels; a PNG file.

        Raises:
            ImportError: matplotlib, of the extra `recipes`, is not here.
            OSError: the file cannot be written.
        """
        # Without pyplot: no display, no global state.
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 1.4 + 0.2 * len(self.layers)), layout="constrained")
        axes = figure.subplots()
        names = [f"{layer.name}, {layer.operator.lower()}" for layer in self.layers]
        places = range(len(names))
        axes.plot([min(x.decibels, MOST) for x in self.layers], places, "o-", label="output")
        kernels = [(i, x.weight_decibels) for i, x in enumerate(self.layers)]
        known = [(min(d, MOST), i) for i, d in kernels if d is not None]
        if known:
            axes.plot(*zip(*known, strict=True), "s", label="kernel")
        axes.set_yticks(places, names, fontsize="small")
        axes.invert_yaxis()
        axes.set(xlabel="signal to noise, dB")
        axes.grid(alpha=0.3)
        axes.legend()
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=120, format="png")

    def __str__(self) -> str:
        width = max(len(layer.name) for layer in self.layers)
        lines = [f"{'':44}{'dB':>8}{'agreement':>11}{'accuracy':>10}"]
        for step in self.steps:
            accuracy = "-" if step.accuracy is None else f"{step.accuracy:.3f}"
            lines.append(f"{step.name:44}{step.decibels:8.1f}{step.agreement:11.3f}{accuracy:>10}")
        head = f"{'dB':>7}{'least':>10}{'largest':>10}{'held':>6}{'peak':>7}"
        kernel = f"{'dB':>7}{'least':>9}{'largest':>9}{'peak':>6}"
        lines += ["", f"{'':{width + 19}}{head}  kernel{kernel[5:]}"]
        for layer in self.layers:
            text = (
                f"{layer.name:{width}} {layer.operator:17} {layer.decibels:7.1f}{layer.low:10.3g}"
                f"{layer.high:10.3g}{layer.levels:6.2f}{layer.peak:7.1f}"
            )
            if layer.weight_decibels is not None:
                text += (
                    f"  {layer.weight_decibels:9.1f}{layer.weight_low:9.3g}"
                    f"{layer.weight_high:9.3g}{layer.weight_peak:6.1f}"
                )
            lines.append(text)
        return "\n".join(lines)


def quantization_report(
    model: keras.Model,
    tflite: bytes,
    data: Iterable[Any] | Mapping[str, Any],
    *,
    labels: Sequence[int] | None = None,
) -> QuantizationReport:
    """Compares a model with the integer graph that was made of it.

    Per layer: signal to noise, range and outliers of its output and of its kernel, on up to 32 of
    the examples, as TensorFlow Lite's reference kernels compute them. Per step, on all of them: the
    model as it is given; folded; with the kernels of the integer graph alone; with its rounding of
    activations alone; the integer graph, and an int16x8 graph if there can be one, as TensorFlow
    Lite Micro computes them (without its wheel, TensorFlow Lite's reference kernels). What a step
    loses is what follows it. Of several outputs the steps are those of the first.

    Args:
        model: the Keras model, folded or not.
        tflite: bytes of the int8 graph that `to_tflite` or `compress` made of it.
        data: examples as of `to_tflite`, held-out ones.
        labels: index of the right output of each example, or None.

    Returns:
        QuantizationReport.

    Raises:
        ValueError: the graph was not made of this model, the data are wrong, or labels are not
            a class's number for each example.
    """
    folded = fold(model) if any(map(folds, walk(model))) else model
    check_folded(folded)
    examples = read_examples(data, graph_of(folded).inputs, "int8")
    right = None if labels is None else read_labels(labels, len(examples[0]))
    before, after = float_graph(folded, "int8"), graphs.read(tflite)
    types = computed_types(after)
    # Tokens, places and conditions have no scale.
    if types - {"int32", "bool"} != {"int8"}:
        raise ValueError(f"The graph must be int8. Received: tensors of {sorted(types)}")
    pairs = pairs_of(before, after)
    layers = layers_of(before, after, pairs, examples, layer_namer(folded))
    return QuantizationReport(
        layers, steps_of(model, folded, before, after, tflite, examples, right)
    )


def read_labels(labels: Sequence[int], count: int) -> np.ndarray:
    """Labels as an array (examples, 1)."""
    found = np.asarray(labels)
    if len(found) != count:
        raise ValueError(
            f"`labels` must be as many as the {count} examples. Received: {len(found)}"
        )
    if found.shape[1:] not in ((), (1,)):
        raise ValueError(
            f"`labels` must be a class's number for each example. Received: shape {found.shape}"
        )
    return found.reshape(-1, 1)


def computed_types(graph: Any) -> set[str]:
    """The types of a graph's inputs and of what its operators make."""
    subgraph = graph.subgraphs[0]
    made = [int(index) for operator in subgraph.operators for index in operator.outputs]
    return {graphs.type_name(subgraph.tensors[int(i)]) for i in (*subgraph.inputs, *made)}


def layers_of(
    before: Any, after: Any, pairs: Any, examples: list[np.ndarray], name_layer: Any
) -> list[Layer]:
    some = [array[:EXAMPLES] for array in examples]
    expected, found = fidelity.run(before, some), fidelity.run(after, some)
    scores = scores_in(before, scores_of(before), expected)
    masks = masks_in(before, scores, expected)
    layers = []
    for one, other in pairs:
        function = isinstance(one, Function)
        if other is None:
            continue
        index, twin = one.result if function else int(one.outputs[0]), int(other.outputs[0])
        kind = kind_of(before, one)
        if (kind in MOVERS and not function) or index not in expected or twin not in found:
            continue
        if index in masks:
            continue  # the integers need only be so low that what is hidden has no weight
        described = graphs.describe(after.subgraphs[0].tensors[twin])
        if described["scale"] is None:
            continue  # places of extremes, which have no range
        name = name_layer(graphs.tensor_name(before.subgraphs[0].tensors[index]))
        values, integers = (
            expected[index].astype(np.float64),
            found[twin].reshape(expected[index].shape),
        )
        if index in scores:
            # What is so far below the largest of its row has no weight.
            least = values.max(axis=-1, keepdims=True) - NO_WEIGHT["int8"]
            values, integers = np.maximum(values, least), np.maximum(integers, least)
        ends = (np.array([-128, 127]) - described["zero_point"]) * described["scale"]
        span = max(values.max(), 0) - min(values.min(), 0)
        held = min(values.max(), ends[1]) - max(min(values.min(), 0), ends[0])
        layers.append(
            Layer(
                name.removeprefix("layer '").removesuffix("', ") or kind,
                kind,
                float(fidelity.signal_to_noise(values, integers)),
                float(values.min()),
                float(values.max()),
                float(np.clip(held / span, 0, 1)) if span else 1.0,
                peak_of(values),
                *kernel_of(before, after, one, other),
            )
        )
    return layers


def kernel_of(before: Any, after: Any, one: Any, other: Any) -> tuple:
    """(decibels, least, largest, peak) of an operator's kernel, or Nones."""
    tensors = before.subgraphs[0].tensors
    if kind_of(before, one) not in graphs.PRODUCTS or not graphs.is_constant(
        before, tensors[one.inputs[1]]
    ):
        return (None, None, None, None)
    kernel = graphs.constant_array(before, int(one.inputs[1])).astype(np.float64)
    error = kernel - real_values(after, int(other.inputs[1])).reshape(kernel.shape)
    noise, signal = np.mean(error**2), np.mean(kernel**2)
    decibels = float(10 * np.log10(signal / noise)) if noise and signal else np.inf
    return decibels, float(kernel.min()), float(kernel.max()), peak_of(kernel)


def peak_of(values: np.ndarray) -> float:
    size = float(np.sqrt(np.mean(values**2)))
    return float(np.abs(values).max() / size) if size else 0.0


def steps_of(
    model: keras.Model,
    folded: keras.Model,
    before: Any,
    after: Any,
    tflite: bytes,
    examples: list[np.ndarray],
    labels: np.ndarray | None,
) -> list[Step]:
    def keras_outputs(one: keras.Model) -> np.ndarray:
        given = tree.pack_sequence_as(graph_of(one).input, examples)
        return np.asarray(tree.flatten(one.predict(given, verbose=0))[0])

    slots = fidelity.input_slots(before)
    inputs = [examples[slot] for slot in slots]
    operators = [one for one, _ in pairs_of(before, after) if not isinstance(one, Function)]
    kinds = {graphs.operator_name(before, operator) for operator in operators}
    outputs = {"as given (float32)": keras_outputs(model)}
    if folded is not model:
        outputs["folded (float32)"] = keras_outputs(folded)
    if kinds <= set(OPERATORS):
        for name, weights, activations in (
            ("kernels of 8 bits alone", True, False),
            ("activations of 8 bits alone", False, True),
        ):
            parts = [
                evaluate(
                    before,
                    after,
                    [x[i : i + EXAMPLES] for x in inputs],
                    weights=weights,
                    activations=activations,
                )[0]
                for i in range(0, len(inputs[0]), EXAMPLES)
            ]
            outputs[name] = np.concatenate(parts)
    where = "in TensorFlow Lite Micro" if runners.available() else "by reference kernels"
    outputs[f"int8 {where}"] = first_output(tflite, inputs)
    wide = wide_output(folded, examples, inputs)
    if wide is not None:
        outputs[f"int16x8 {where}"] = wide
    expected = outputs["as given (float32)"]
    return [
        step_of(name, expected, np.reshape(values, expected.shape), labels)
        for name, values in outputs.items()
    ]


def first_output(content: bytes, inputs: list[np.ndarray]) -> np.ndarray:
    predict = runners.predictor()
    found = predict(content, inputs)
    return found[0] if isinstance(found, list) else found


def wide_output(
    folded: keras.Model, examples: list[np.ndarray], inputs: list[np.ndarray]
) -> np.ndarray | None:
    """Of an int16x8 graph; None where there is none: not all that runs in int8 does in 16 bits."""
    given = examples if len(examples) > 1 else examples[0]
    try:
        return first_output(to_tflite(folded, given, precision="int16x8"), inputs)
    # Without TensorFlow Lite Micro's wheel some kernels of 16 bits are missing.
    except (ValueError, RuntimeError):
        return None


def step_of(name: str, expected: np.ndarray, values: np.ndarray, labels: np.ndarray | None) -> Step:
    found = answers(values)
    agreement = float(np.mean((found == answers(expected)).all(axis=1)))
    right = None if labels is None else (found == labels).all(axis=1)
    accuracy = None if right is None else float(np.mean(right))
    decibels = float(fidelity.signal_to_noise(expected, values))
    return Step(name, decibels, agreement, accuracy)


def answers(values: np.ndarray) -> np.ndarray:
    """Per example the place of the largest output, or outputs that are such places themselves."""
    rows = values.reshape(len(values), -1)
    return rows if values.dtype.kind in "iu" else rows.argmax(axis=1, keepdims=True)
