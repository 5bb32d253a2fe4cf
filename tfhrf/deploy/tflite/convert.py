"""to_tflite: a folded Keras model as a TensorFlow Lite file that TensorFlow Lite Micro can run."""

import contextlib
import inspect
import os
import re
import sys
import tempfile
import warnings

import absl.logging
import numpy as np
import tensorflow as tf
from keras import tree
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize.calibrator import Calibrator
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite import graph_rewrites
from tfhrf.deploy.tflite.keras_lowering import lower
from tfhrf.hrf.rebuild import check_model, graph_of, walk

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")
INTEGERS = {"int8": "int8", "int16x8": "int16"}
# So far below the largest of its row a score has no weight: about a twentieth of the least that
# the output of SOFTMAX can hold. Cut off there, its range leaves levels to the scores that count,
# also where a mask adds large negative numbers to others.
NO_WEIGHT = {"int8": 8.5, "int16x8": 13.5}
# CMSIS-NN runs 16-bit Dense layers with one weight scale per tensor only. Newer versions of
# TensorFlow must be told; older ones know nothing else.
PER_TENSOR = "disable_per_channel_quantization_for_dense_layers"
QUANTIZER_ARGUMENTS = inspect.signature(Calibrator.calibrate_and_quantize).parameters
DENSE_PER_TENSOR = {PER_TENSOR: True} if PER_TENSOR in QUANTIZER_ARGUMENTS else {}


def to_tflite(model, representative_data=None, precision="int8"):
    """Converts a Keras model to the bytes of a .tflite file with batch 1 and static shapes.

    - "int8": 8-bit weights and activations, int8 inputs and outputs. Weights have a scale per
      output channel; Dense weights have it only where TensorFlow's version supports it (2.21
      does, 2.16 has one scale per tensor).
    - "int16x8": 8-bit weights (Dense: one scale per tensor, which is what CMSIS-NN runs), 16-bit
      activations, int16 inputs and outputs.
    - "float32": no quantization. These three run in TensorFlow Lite Micro (TFLM): the graph is
      checked to hold only operators and types that TFLM has, and attention is arranged so that
      it needs little memory.
    - "float16", "dynamic": 16-bit floats, or 8-bit weights with float activations. They are for
      phones; TFLM does not run them.

    Dropout vanishes; LayerNormalization takes a form that stays integer; the rest must consist of
    operators that TFLM has (relu, silu, sigmoid, tanh, softmax, but not gelu).

    The ranges of all tensors are measured here, on every example, and not by TensorFlow Lite's
    calibrator, which reads the input of an operator that works in place after the operator has
    overwritten it.

    Args:
        model: a built functional or Sequential model of stock Keras layers (`tfhrf.fold` makes
            one) with float32 inputs, all of whose dimensions but the batch are fixed.
        representative_data: for the integer precisions, examples that the model will meet: an
            array of shape (examples, ...input shape), or an iterable of such arrays or of single
            examples. For a model with several inputs a list with one array for each, or a dict
            {input name: array}. Other precisions do not look at it.
        precision: "float32", "float16", "dynamic", "int8" or "int16x8".

    Returns:
        bytes.

    Raises:
        ValueError: an argument is wrong; the model is not built, still holds HRF layers, or has
            inputs of unknown length; the examples are missing, empty, constant, not finite or of
            the wrong shape; a layer cannot run in TFLM, named with its operator; or TensorFlow
            Lite refuses the model, whose reason is quoted.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {PRECISIONS}. Received: {precision!r}")
    check_model(model)
    inputs = graph_of(model).inputs
    check_inputs(inputs)
    for layer in walk(model):
        if callable(getattr(layer, "fold", None)):
            raise ValueError(
                f"Layer '{layer.name}' can still be folded; call tfhrf.fold(model) first. "
                f"Received: {type(layer).__name__}"
            )
    examples = None
    if precision in INTEGERS:
        examples = read_examples(representative_data, inputs, precision)
    content = convert(freeze(lower(model)), precision, layer_namer(model))
    if precision in ("float16", "dynamic"):
        return content
    graph = graphs.read(content)
    graph_rewrites.slice_unequal_splits(graph)
    graph_rewrites.multiply_computed(graph)
    graph_rewrites.rescale_bounds(graph)
    graphs.check(graph, False, layer_namer(model), INTEGERS.get(precision))
    graph_rewrites.spare_arena(graph)
    if examples is not None:
        calibrate(graph, examples, precision, layer_namer(model))
        graph = graphs.read(quantize(graphs.write(graph), precision))
        graphs.check(graph, True, layer_namer(model))
    graphs.drop_names(graph)
    return graphs.write(graph)


def check_inputs(inputs):
    for x in inputs:
        if any(length is None for length in x.shape[1:]):
            raise ValueError(
                f"Input '{x.name}' must have fixed dimensions (all but the batch). "
                f"Received: shape={x.shape}"
            )
        if x.dtype != "float32":
            raise ValueError(f"Input '{x.name}' must be float32. Received: dtype={x.dtype}")


def read_examples(data, inputs, precision):
    """Checks representative data.

    Returns:
        List with one float32 array of shape (examples, ...) for each model input.
    """
    if data is None:
        raise ValueError(
            f"`representative_data` is required for precision {precision!r}. Received: None"
        )
    if len(inputs) == 1 and not isinstance(data, dict):
        arrays = [read_array(data, inputs[0])]
    else:
        names = [x.name for x in inputs]
        if isinstance(data, dict):
            if set(data) != set(names):
                raise ValueError(
                    f"`representative_data` must have the keys {names}. Received: {list(data)}"
                )
            data = [data[name] for name in names]
        if not isinstance(data, (list, tuple)) or len(data) != len(inputs):
            raise ValueError(
                f"`representative_data` must be a list or dict with an array for each of the "
                f"inputs {names}. Received: {describe(data)}"
            )
        arrays = [read_array(item, x) for item, x in zip(data, inputs, strict=True)]
        if len({len(array) for array in arrays}) != 1:
            raise ValueError(
                "`representative_data` must hold the same number of examples for each input. "
                f"Received: {[len(array) for array in arrays]}"
            )
    for array, x in zip(arrays, inputs, strict=True):
        if not np.isfinite(array).all():
            raise ValueError(
                f"`representative_data` for input '{x.name}' must be finite. "
                f"Received: {np.count_nonzero(~np.isfinite(array))} values that are not"
            )
        if array.min() == array.max():
            raise ValueError(
                f"`representative_data` for input '{x.name}' must not be constant. "
                f"Received: only the value {array.flat[0]}"
            )
    return arrays


def read_array(data, x):
    """An array, or an iterable of batches or single examples, as one float32 array."""
    shape = tuple(x.shape[1:])
    if not hasattr(data, "__array__"):
        try:
            items = iter(data)
        except TypeError as error:
            raise ValueError(
                f"`representative_data` must be an array or an iterable of arrays. "
                f"Received: {describe(data)}"
            ) from error
        batches = [as_floats(item, x, shape) for item in items]
        batches = [item[None] if item.shape == shape else item for item in batches]
    else:
        batches = [as_floats(data, x, shape)]
    for item in batches:
        if item.ndim == 0 or item.shape[1:] != shape:
            raise ValueError(
                f"`representative_data` for input '{x.name}' must have the shape "
                f"{('examples', *shape)}. Received: {item.shape}"
            )
    if sum(map(len, batches)) == 0:
        raise ValueError(
            f"`representative_data` for input '{x.name}' must hold at least one example. "
            f"Received: {describe(data)}"
        )
    return np.concatenate(batches)


def as_floats(item, x, shape):
    # A (features, label) pair is a tuple: it is no array.
    if hasattr(item, "__array__"):
        array = np.asarray(item)
        if array.dtype.kind in "fiu":
            return array.astype(np.float32)
    raise ValueError(
        f"`representative_data` for input '{x.name}' must consist of numeric arrays of the shape "
        f"{('examples', *shape)}. Received: {describe(item)}"
    )


def describe(value):
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}" + (f" of shape {tuple(shape)}" if shape is not None else "")


def freeze(model):
    """A concrete function of a model with batch 1 and its variables as constants."""
    functional = graph_of(model)
    signature = [
        tf.TensorSpec((1, *x.shape[1:]), x.dtype, name=f"input_{i}")
        for i, x in enumerate(functional.inputs)
    ]

    def call(*arguments):
        outputs = model(tree.pack_sequence_as(functional.input, arguments), training=False)
        return tree.flatten(outputs)

    return convert_variables_to_constants_v2(tf.function(call).get_concrete_function(*signature))


def convert(function, precision, name_layer):
    """bytes of a .tflite file, not yet quantized to integers."""
    with quiet() as chatter:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        if precision in ("float16", "dynamic"):
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            return converter.convert()
        # The converter raises exceptions of many kinds; whichever it is, its reason is passed on.
        except Exception as error:
            text = f"{error}\n{chatter()}"
            failed = error
    operators = re.findall(r"'tf\.(\w+)' op", text)
    nodes = function.graph.as_graph_def().node
    found = [node.name for node in nodes if node.op in operators]
    where = f"{name_layer(found[0])}operator {operators[0]}: " if found else ""
    hint = "; use relu or silu instead of gelu" if "Erf" in operators else ""
    reasons = re.findall(r"error: (.*)", text) or [" ".join(str(failed).split())]
    raise ValueError(
        f"TensorFlow Lite cannot convert the model{hint}: {where}{'; '.join(reasons)}. "
        f"Received: precision={precision!r}"
    ) from failed


def calibrate(graph, examples, precision, name_layer):
    """Writes the range of each tensor of a float graph, over all examples, into the graph."""
    subgraph = graph.subgraphs[0]
    interpreter = make_interpreter(graphs.write(graph), keep_all=True)
    # The converter names the inputs as `freeze` did; it may order them otherwise.
    order = [details["name"] for details in interpreter.get_input_details()]
    slots = [int(re.sub(r".*input_(\d+).*", r"\1", name)) for name in order]
    where = [details["index"] for details in interpreter.get_input_details()]
    measured = [
        *subgraph.inputs,
        *(
            index
            for operator in subgraph.operators
            for index in operator.outputs
            if graphs.type_name(subgraph.tensors[index]) == "float32"
        ),
    ]
    low = dict.fromkeys(measured, np.inf)
    high = dict.fromkeys(measured, -np.inf)
    # The least of the largest scores of all rows.
    peak = dict.fromkeys(scores_of(graph), np.inf)
    for example in range(len(examples[0])):
        for slot, index in zip(slots, where, strict=True):
            interpreter.set_tensor(index, examples[slot][example : example + 1])
        interpreter.invoke()
        for index in measured:
            values = interpreter.get_tensor(index)
            low[index] = min(low[index], values.min())
            high[index] = max(high[index], values.max())
            if index in peak:
                peak[index] = min(peak[index], values.max(axis=-1).min())
    for index in measured:
        name = graphs.tensor_name(subgraph.tensors[index])
        if not np.isfinite((low[index], high[index])).all():
            raise ValueError(
                "A tensor is not finite on the representative data: "
                f"{name_layer(name)}tensor '{name}'. "
                f"Received: values in [{low[index]}, {high[index]}]"
            )
    cap_rsqrt(graph, low, high, precision)
    for index in peak:
        low[index] = max(low[index], peak[index] - NO_WEIGHT[precision])
    # Where scales differ between tensors that only move values, QUANTIZE operators would stand.
    for members in graph_rewrites.tied(graph):
        low.update(dict.fromkeys(members, min(low[index] for index in members)))
        high.update(dict.fromkeys(members, max(high[index] for index in members)))
    for index in measured:
        ranges = graphs.schema.QuantizationParametersT()
        ranges.min = np.array([low[index]], np.float32)
        ranges.max = np.array([high[index]], np.float32)
        subgraph.tensors[index].quantization = ranges


def scores_of(graph):
    """Indices of the tensors that a SOFTMAX alone reads."""
    subgraph = graph.subgraphs[0]
    return [
        operator.inputs[0]
        for operator in subgraph.operators
        if graphs.operator_name(graph, operator) == "SOFTMAX"
        and len(graphs.neighbors(graph, operator.inputs[0])[1]) == 1
        and operator.inputs[0] not in subgraph.outputs
    ]


def cap_rsqrt(graph, low, high, precision):
    """Cuts the range of each RSQRT at what it returns for the least integer above zero.

    Nothing is lost: only an input that rounds to zero, whose result is arbitrary, lies above. But
    without it one token that hardly varies (silence) leaves few levels to all others.
    """
    levels = {"int8": 255, "int16x8": 32767}[precision]
    for operator in graph.subgraphs[0].operators:
        if graphs.operator_name(graph, operator) == "RSQRT":
            (x,), (y,) = operator.inputs, operator.outputs
            if high[x] > 0:
                high[y] = min(high[y], (high[x] / levels) ** -0.5)
                low[y] = min(low[y], high[y])


def quantize(content, precision):
    """bytes of a float graph with ranges -> bytes of an integer graph."""
    with quiet() as chatter:
        try:
            if precision == "int8":
                return mlir_quantize(content, input_data_type=tf.int8, output_data_type=tf.int8)
            # Nothing is fed: the ranges are in the graph already.
            return Calibrator(content).calibrate_and_quantize(
                lambda: iter(()),
                tf.int16,
                tf.int16,
                False,
                activations_type=tf.int16,
                bias_type=tf.int64,
                **DENSE_PER_TENSOR,
            )
        except Exception as error:
            text = f"{error}\n{chatter()}"
            failed = error
    reasons = re.findall(r"error: (.*)", text) or [" ".join(str(failed).split())]
    raise ValueError(
        f"TensorFlow Lite cannot quantize the model: {'; '.join(reasons)}. "
        f"Received: precision={precision!r}"
    ) from failed


def make_interpreter(content, keep_all=False):
    """TensorFlow Lite's interpreter with its reference kernels."""
    with warnings.catch_warnings():
        # TensorFlow 2.20 announces that tf.lite will move to another package.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(
            model_content=content,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=keep_all,
        )
    interpreter.allocate_tensors()
    return interpreter


def layer_namer(model):
    """A function that maps the name of a tensor to "layer 'x', ", or to "" if none is found."""
    # TensorFlow calls the outputs of a function Identity, Identity_1 and so on.
    outputs = {
        f"Identity_{i}" if i else "Identity": x._keras_history.operation.name
        for i, x in enumerate(graph_of(model).outputs)
    }
    names = sorted((layer.name for layer in walk(model)), key=len, reverse=True)

    def name_layer(tensor):
        for name, layer in outputs.items():
            # The converter appends digits of its own where it splits an operator.
            if re.fullmatch(rf"{name}\d*", tensor):
                return f"layer '{layer}', "
        # A tensor's name is a path; TensorFlow numbers a name that it meets again.
        parts = re.split(r"[/;]", tensor)
        for match in ("{}", r"{}_\d+"):
            for name in names:
                if any(re.fullmatch(match.format(re.escape(name)), part) for part in parts):
                    return f"layer '{name}', "
        return ""

    return name_layer


@contextlib.contextmanager
def quiet():
    """Keeps what the converter writes to standard error; yields a function that returns it."""
    sys.stderr.flush()
    level = absl.logging.get_verbosity()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:

        def chatter():
            file.seek(0)
            return file.read().decode(errors="replace")

        os.dup2(file.fileno(), 2)
        absl.logging.set_verbosity(absl.logging.ERROR)
        try:
            yield chatter
        finally:
            absl.logging.set_verbosity(level)
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
