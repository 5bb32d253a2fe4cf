"""How near a float graph comes to the model, and an integer graph to that float graph."""

import contextlib
import warnings

import numpy as np
import tensorflow as tf
from keras import ops, tree

from tfhrf.deploy import levels, tflm_process
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite.interpreter import input_places, make_interpreter
from tfhrf.hrf.rebuild import graph_of

LEAST_DECIBELS = 15.0
# A float graph is 80 dB and more from its model, unless rounding, say, is part of it.
LEAST_OF_FLOATS = 20.0
ROUNDING = 1e-4  # of what is next to nothing
# Enough to tell a graph that lost its values from one that rounds them; the device's kernels, which
# are slow here, compute one of so many.
EXAMPLES, APART = 32, 4


def output_decibels(before, after, examples):
    """Signal to noise of the worst output of an integer graph; -inf where it cannot be run here."""
    try:
        runs = [run(graph, some_of(examples)) for graph in (before, after)]
    except RuntimeError:
        return -np.inf
    outputs = [judged(graph) for graph in (before, after)]
    return min(
        signal_to_noise(runs[0][old], runs[1][new]) for old, new in zip(*outputs, strict=True)
    )


def judged(graph):
    """Indices of the outputs; of those that are places, of what they are places in."""
    finders = [graphs.place_finder(graph, int(i)) for i in graph.subgraphs[0].outputs]
    return [
        int(index if finder is None else finder.inputs[0])
        for index, finder in zip(graph.subgraphs[0].outputs, finders, strict=True)
    ]


def some_of(examples, most=EXAMPLES):
    """At most so many of the examples, evenly spaced."""
    count = len(examples[0])
    chosen = np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
    return [array[chosen] for array in examples]


def model_outputs(model, examples):
    """float32 arrays of what a model computes of examples, a list with one array for each input.

    It is called as it trains, of any number of examples: of as many as there are channels, Keras
    takes what is added to frames for a bias.

    Raises:
        ValueError: TensorFlow cannot do that.
    """
    functional = graph_of(model)
    signature = [tf.TensorSpec(x.shape, x.dtype) for x in functional.inputs]
    arrays = [array.astype(x.dtype) for array, x in zip(examples, functional.inputs, strict=True)]

    def call(*arguments):
        return tree.flatten(
            model(tree.pack_sequence_as(functional.input, arguments), training=False)
        )

    # As a concrete function: TensorFlow warns of a process that calls many functions once each.
    concrete = tf.function(call, autograph=False).get_concrete_function(*signature)
    try:
        outputs = concrete(*map(tf.constant, arrays))
    except tf.errors.OpError as error:
        # Where the model was made, line by line, then what is wrong.
        reason = [line for line in error.message.splitlines() if line.strip() and line[0] != "\t"]
        raise ValueError(
            f"TensorFlow cannot call the model on its examples: {reason[-1].strip()}. "
            f"Received: {type(model).__name__} '{model.name}'"
        ) from error
    return [ops.convert_to_numpy(ops.cast(values, "float32")) for values in outputs]


def check_faithful(graph, model, examples):
    """Raises ValueError unless a float graph computes what its model does of a few examples.

    The graph is made for a batch of one, where Keras and its users may broadcast, squeeze or
    average otherwise than over several.

    Args:
        graph: ModelT.
        model: functional or Sequential Keras model.
        examples: list with one array for each model input.
    """
    few = some_of(examples, 8)
    if any(x.shape[0] == 1 for x in graph_of(model).inputs):
        few = [array[:1] for array in few]
    expected = model_outputs(model, few)
    runs = run(graph, few)
    for number, (index, values) in enumerate(
        zip(graph.subgraphs[0].outputs, expected, strict=True)
    ):
        found = runs[int(index)]
        if values.ndim > 0 and found.shape == (len(values), 1, *values.shape[1:]):
            found = found.reshape(values.shape)
            if np.abs(found - values).max(initial=0.0) <= ROUNDING:
                continue
            if signal_to_noise(values, found) >= LEAST_OF_FLOATS:
                continue
        raise ValueError(
            f"Output {number} of the graph is not the model's; where examples are mixed, no graph "
            f"for one of them can be made. Received: layer "
            f"'{graph_of(model).outputs[number]._keras_history.operation.name}'"
        )


def warn_of_loss(before, after, examples, name_layer):
    """Warns of each output that quantization took too far from the float graph's.

    Args:
        before, after: float and integer ModelT, tensors of both with the names of the float one.
        examples: list with one float32 array for each model input.
        name_layer: maps a tensor's name to words that say which layer it belongs to.
    """
    some = some_of(examples)
    expected, found = run(before, some), {}
    with contextlib.suppress(RuntimeError):
        # TensorFlow Lite lacks some that TensorFlow Lite Micro has: 16-bit SQUARED_DIFFERENCE.
        found = run(after, some)
    device = on_device(after, [array[::APART] for array in some])
    outputs = [judged(graph) for graph in (before, after)]
    for number, (old, new) in enumerate(zip(*outputs, strict=True)):
        floats, integers = expected[old], found.get(new)
        if device is not None and new == int(after.subgraphs[0].outputs[number]):
            values = device[number].reshape(floats[::APART].shape)
            # Kernels differ: what the device's compute is what counts.
            if integers is None or signal_to_noise(integers[::APART], values) < LEAST_DECIBELS:
                floats, integers = floats[::APART], values
        if integers is None:
            continue
        decibels = signal_to_noise(floats, integers)
        if decibels < LEAST_DECIBELS:
            warnings.warn(
                f"Quantization leaves output {number} at {decibels:.1f} dB of the float model's on "
                f"the representative data, below {LEAST_DECIBELS:.0f} dB"
                f"{first_loss(before, after, (expected, found), name_layer)}",
                stacklevel=3,
            )


def on_device(graph, examples):
    """Real values of an integer graph's outputs in TensorFlow Lite Micro; None if it cannot run."""
    if not tflm_process.available():
        return None
    given = [examples[slot] for slot in input_slots(graph)]
    try:
        outputs = tflm_process.call("predict_here", graphs.write(graph), given)
    except RuntimeError:
        return None
    return outputs if isinstance(outputs, list) else [outputs]


def first_loss(before, after, runs, name_layer):
    """Words that say which operator is the first whose values are lost, and to what."""
    names: dict[str, int] = {}
    for index in runs[0]:
        names.setdefault(graphs.tensor_name(before.subgraphs[0].tensors[index]), index)
    for operator in after.subgraphs[0].operators:
        index = int(operator.outputs[0])
        old = names.get(graphs.tensor_name(after.subgraphs[0].tensors[index]))
        if old is None or index not in runs[1] or runs[0][old].shape != runs[1][index].shape:
            continue
        decibels = signal_to_noise(runs[0][old], runs[1][index])
        if decibels < LEAST_DECIBELS:
            where, _ = graphs.locate(after, operator, name_layer)
            return f"; first below is {where}, at {decibels:.1f} dB"
    return ""


def run(graph, examples):
    """{index: real values, examples first} of all tensors that operators make, and of inputs."""
    subgraph = graph.subgraphs[0]
    interpreter = make_interpreter(graphs.write(graph), keep_all=True)
    inputs = input_places(interpreter)
    made = {int(i) for operator in subgraph.operators for i in operator.outputs}
    kept = [
        index
        for index in sorted(made | {int(i) for i in subgraph.inputs})
        if graphs.type_name(subgraph.tensors[index]) in ("float32", "int8", "int16", "int32")
    ]
    scales = {index: graphs.describe(subgraph.tensors[index]) for index in kept}
    found: dict[int, list] = {index: [] for index in kept}
    for example in range(len(examples[0])):
        for slot, index in inputs:
            values = examples[slot][example : example + 1]
            interpreter.set_tensor(index, to_levels(values, scales[index]))
        interpreter.invoke()
        for index in kept:
            found[index].append(to_reals(interpreter.get_tensor(index), scales[index]))
    return {index: np.stack(values) for index, values in found.items()}


def input_slots(graph):
    """Which input of the Keras model each input of a float graph is, as `freeze` named them."""
    names = [graphs.tensor_name(graph.subgraphs[0].tensors[i]) for i in graph.subgraphs[0].inputs]
    return [graphs.input_number(name) for name in names]


def to_levels(values, tensor):
    if tensor["scale"] is None:
        return values.astype(tensor["dtype"])
    return levels.quantize(values, tensor["scale"], tensor["zero_point"], tensor["dtype"])


def to_reals(values, tensor):
    if tensor["scale"] is None:
        return np.array(values)
    return levels.dequantize(values, tensor["scale"], tensor["zero_point"])


def signal_to_noise(expected, found):
    """dB between the spread of expected values over the examples and the error."""
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    noise = np.mean((expected - found) ** 2)
    signal = np.mean((expected - expected.mean(axis=0)) ** 2)
    if signal <= 1e-12 * np.mean(expected**2):
        # What is the same for all examples is measured by its size.
        signal = np.mean(expected**2)
    if noise == 0.0:
        return np.inf
    return 10 * np.log10(signal / noise) if signal else -np.inf
