"""to_tflite: a folded Keras model as a TensorFlow Lite file that TensorFlow Lite Micro can run."""

import re
from collections.abc import Iterable, Mapping
from itertools import dropwhile, takewhile
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf
from keras import tree
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfhrf.deploy import tflm_process
from tfhrf.deploy.tflite import graph as graphs
from tfhrf.deploy.tflite import graph_rewrites
from tfhrf.deploy.tflite.arena import order_tensors
from tfhrf.deploy.tflite.balance import balance
from tfhrf.deploy.tflite.calibrate import calibrate
from tfhrf.deploy.tflite.constant_folding import fold_constants
from tfhrf.deploy.tflite.dilation import join_dilations
from tfhrf.deploy.tflite.examples import check_inputs, read_examples
from tfhrf.deploy.tflite.fewer_axes import keep_few_axes
from tfhrf.deploy.tflite.fidelity import check_faithful, output_decibels, warn_of_loss
from tfhrf.deploy.tflite.integer_rewrites import for_integers
from tfhrf.deploy.tflite.keras_lowering import in_float32, lowered
from tfhrf.deploy.tflite.lookups import look_up, stand_in
from tfhrf.deploy.tflite.masks import carry_masks
from tfhrf.deploy.tflite.missing_operators import add_computed_biases, replace_missing
from tfhrf.deploy.tflite.quantize import kept_errors, quantize
from tfhrf.deploy.tflite.tensorflow_only import (
    SPELLED_OUT,
    plain,
    spell_out,
    spell_out_products,
)
from tfhrf.deploy.tflite.tflm_operators import check_supported
from tfhrf.deploy.tflite.tokens import check_tokens, take_tokens
from tfhrf.deploy.tflite.unrolling import unrolled
from tfhrf.deploy.tflite.wide_lookups import COUNTS, look_up_wide, ranges_met
from tfhrf.hrf.rebuild import check_model, graph_of, walk

Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Ranges = Literal["minmax", "percentile", "mse", "best"]
INTEGERS = {"int8": "int8", "int16x8": "int16"}
BROKEN_PRODUCT = "'tfl.batch_matmul' op found invalid output rank"  # the converter's words


def to_tflite(
    model: keras.Model,
    representative_data: Iterable[Any] | Mapping[str, Any] | None = None,
    *,
    precision: Precision = "int8",
    ranges: Ranges = "minmax",
) -> bytes:
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

    Dropout vanishes; LayerNormalization takes a form that stays integer; functions of one value
    that TFLM has in float only (softplus, exp) are tables; recurrent layers are unrolled; the rest
    must consist of operators that TFLM has. Inputs of Embedding layers are int32.

    The ranges of all tensors are measured here, on every example, and not by TensorFlow Lite's
    calibrator, which reads the input of an operator that works in place after the operator has
    overwritten it. Where quantization leaves an output below 15 dB of the float model's on the
    examples, a warning says so and names the first layer whose values are lost.

    Args:
        model: a built functional or Sequential model of stock Keras layers (`tfhrf.fold` makes
            one) with inputs of floats or integers, all of whose dimensions but the batch are fixed.
        representative_data: for the integer precisions, examples that the model will meet: an
            array of shape (examples, ...input shape), or an iterable of such arrays or of single
            examples. For a model with several inputs a list with one array for each, or a dict
            {input name: array}. What TensorFlow Lite takes will do, too: a function that returns
            an iterator over lists with an array for each input, or the iterator; and so will a
            dataset of (features, labels). Other precisions do not look at it.
        precision: "float32", "float16", "dynamic", "int8" or "int16x8".
        ranges: of the integers: "minmax", from the least to the largest value of the examples;
            "percentile", what 99.98 % of them lie in; "mse", what leaves the least squared error;
            the last two keep inputs, outputs, scores of attention and what inverse roots are taken
            of whole. "best" tries these three with and without exact range balancing between
            linear neighbors (`tfhrf.deploy.tflite.balance`), and takes what comes nearest to the
            float model's outputs on the examples; that takes six times as long.

    Returns:
        bytes.

    Raises:
        ValueError: an argument is wrong; the model is not built, still holds HRF layers, or has
            inputs of unknown length; the examples are missing, empty, constant, not finite or of
            the wrong shape; an output is of integers, or depends on other examples; a layer cannot
            run in TFLM, named with its operator; or TensorFlow Lite refuses the model, whose reason
            is quoted.
    """
    if precision not in get_args(Precision):
        raise ValueError(
            f"`precision` must be one of {get_args(Precision)}. Received: {precision!r}"
        )
    if ranges not in get_args(Ranges):
        raise ValueError(f"`ranges` must be one of {get_args(Ranges)}. Received: {ranges!r}")
    check_folded(model)
    examples = None
    if precision in INTEGERS:
        examples = read_examples(representative_data, graph_of(model).inputs, precision)
    name_layer = layer_namer(model)
    if precision in ("float16", "dynamic"):
        return convert(freeze(in_float32(model)), precision, name_layer)
    graph = float_graph(model, precision)
    if precision in INTEGERS:
        check_outputs(graph, graph_of(model).outputs)
    if examples is None:
        check_runs(graph, False, name_layer)
        return finish(graph)
    before = graphs.write(graph)
    content = integers_of(graph, examples, precision, name_layer, ranges)
    # Last: what cannot be converted at all has reasons of its own.
    check_faithful(graphs.read(before), model, examples)
    return content


def check_folded(model):
    """Raises ValueError unless a model can be converted."""
    check_model(model)
    check_inputs(graph_of(model).inputs)
    for layer in walk(model):
        if callable(getattr(layer, "fold", None)):
            raise ValueError(
                f"Layer '{layer.name}' can still be folded; call tfhrf.fold(model) first. "
                f"Received: {type(layer).__name__}"
            )


def check_outputs(graph, outputs):
    """Raises ValueError unless a float graph's outputs are floats, or places of extreme values."""
    for index, x in zip(graph.subgraphs[0].outputs, outputs, strict=True):
        kind = graphs.type_name(graph.subgraphs[0].tensors[index])
        if kind != "float32" and not graphs.place_count(graph, int(index)):
            raise ValueError(
                f"Output '{x.name}' must be of floats, to be quantized, or be argmax or argmin of "
                f"some. Received: dtype={x.dtype}"
            )


def float_graph(model, precision):
    """ModelT of a Keras model in floats, rewritten for what it is going to become."""
    graph = graphs.read(convert(freeze(in_float32(model)), precision, layer_namer(model)))
    take_tokens(graph)
    fold_constants(graph)
    if add_computed_biases(graph):
        # What is left may be a product of constants.
        fold_constants(graph)
    carry_masks(graph)
    replace_missing(graph)
    join_dilations(graph)
    graph_rewrites.slice_unequal_splits(graph)
    if precision in INTEGERS:
        for_integers(graph, precision)
    keep_few_axes(graph)
    graph_rewrites.multiply_computed(graph)
    graph_rewrites.rescale_bounds(graph)
    graph_rewrites.spare_arena(graph)
    return graph


def integers_of(graph, examples, precision, name_layer, ranges="minmax"):
    """bytes of the integer graph of a float graph, which is changed.

    Args:
        graph: ModelT, as of `float_graph`.
        examples: list with one array for each model input.
        precision: "int8" or "int16x8".
        name_layer: maps a tensor's name to words that say which layer it belongs to.
        ranges: as of `to_tflite`; None: those that are in the graph already.
    """
    check_tokens(graph, examples)
    if ranges == "best":
        graph, ranges = best_ranges(graph, examples, precision, name_layer)
    before = graphs.write(graph)
    graph = quantized(graph, before, examples, precision, name_layer, ranges)
    warn_of_loss(graphs.read(before), graph, examples, name_layer)
    return finish(graph)


def quantized(graph, content, examples, precision, name_layer, ranges):
    """ModelT in integers of a float graph, which is changed; `content` holds the float graph."""
    functions = stand_in(graph, COUNTS[precision])
    check_supported(graph, False, name_layer, INTEGERS[precision])
    if ranges is not None:
        calibrate(graph, content, examples, precision, name_layer, ranges)
    met = ranges_met(graph, len(functions))
    graph = quantize(graph, precision)
    look_up(graph, functions) if precision == "int8" else look_up_wide(graph, functions, met)
    check_runs(graph, True, name_layer)
    return graph


def best_ranges(graph, examples, precision, name_layer):
    """(graph, balanced or not, ranges as of `to_tflite`) with the best outputs on the examples."""
    balanced = graphs.read(graphs.write(graph))
    balance(balanced, examples)
    best, found = -np.inf, (graph, "minmax")
    for tried in (graph, balanced):
        for how in get_args(Ranges)[:3]:
            content = graphs.write(tried)
            try:
                new = quantized(graphs.read(content), content, examples, precision, name_layer, how)
            except ValueError:
                # If none can be made, the first one's reason is given when it is made again.
                continue
            decibels = output_decibels(graph, new, examples)
            if decibels > best:
                best, found = decibels, (tried, how)
    return found


def finish(graph):
    """bytes of a graph, without what only takes flash."""
    drop_names(graph)
    order_tensors(graph)
    return graphs.write(graph)


def drop_names(graph):
    """Empties the names of all tensors but inputs and outputs: they would lie in flash."""
    subgraph = graph.subgraphs[0]
    for index in {*range(len(subgraph.tensors))} - {*subgraph.inputs, *subgraph.outputs}:
        subgraph.tensors[index].name = ""


def check_runs(graph, integers, name_layer):
    """Raises ValueError unless TFLM has all operators and, where its wheel is, can prepare them.

    In a process of its own, and before anything runs the graph here: what TFLM ends a process over,
    TensorFlow Lite does, too.
    """
    check_supported(graph, integers, name_layer)
    graphs.drop_unused_codes(graph)
    if not tflm_process.available():
        return
    try:
        tflm_process.call("prepare", graphs.write(graph))
    except RuntimeError as error:
        found = re.search(r"\(number (\d+)\)", str(error))
        if found is None:
            raise ValueError(str(error)) from error
        operator = graph.subgraphs[0].operators[int(found[1])]
        where, received = graphs.locate(graph, operator, name_layer)
        raise ValueError(f"TensorFlow Lite Micro refuses the graph: {where}. {received}") from error


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

    with unrolled(model), lowered(model):
        traced = tf.function(call, autograph=False)
        try:
            function = traced.get_concrete_function(*signature)
        # What a layer raises is of any kind, and of many lines where Keras adds the arguments.
        except Exception as error:
            reason = re.sub(r"\x1b\[\d*m", "", str(error)).split("Arguments received by")[0]
            raise ValueError(
                f"TensorFlow cannot call the model: {' '.join(reason.split())} "
                f"Received: {type(model).__name__} '{model.name}'"
            ) from error
    return plain(convert_variables_to_constants_v2(function))


def convert(function, precision, name_layer, products=True):
    """bytes of a .tflite file, not yet quantized to integers.

    Args:
        function: concrete function with its variables as constants.
        precision: as of `to_tflite`.
        name_layer: maps a tensor's name to words that say which layer it belongs to.
        products: whether products that the converter breaks are spelled out.
    """
    with kept_errors() as chatter:
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
    if SPELLED_OUT.keys() & {*operators}:
        return convert(spell_out(function), precision, name_layer, products)
    if products and BROKEN_PRODUCT in text:
        return convert(spell_out_products(function), precision, name_layer, products=False)
    nodes = function.graph.as_graph_def().node
    found = [node.name for node in nodes if node.op in operators]
    where = f"{name_layer(found[0])}operator {operators[0]}: " if found else ""
    reasons = re.findall(r"error: (.*)", text) or [" ".join(str(failed).split())]
    raise ValueError(
        f"TensorFlow Lite cannot convert the model: {where}{'; '.join(dict.fromkeys(reasons))}. "
        f"Received: precision={precision!r}"
    ) from failed


def layer_namer(model):
    """A function that maps the name of a tensor to "layer 'x', ", or to "" if none is found."""
    # TensorFlow calls the outputs of a function Identity, Identity_1 and so on.
    outputs = {
        f"Identity_{i}" if i else "Identity": x._keras_history.operation.name
        for i, x in enumerate(graph_of(model).outputs)
    }
    names = {layer.name for layer in walk(model)}

    def layer_of(scope):
        # TensorFlow numbers a name that it meets again.
        return next((name for name in (scope, re.sub(r"_\d+$", "", scope)) if name in names), None)

    def name_layer(tensor):
        for name, layer in outputs.items():
            # The converter appends digits of its own where it splits an operator.
            if re.fullmatch(rf"{name}\d*", tensor):
                return f"layer '{layer}', "
        # The paths of the operators that became one, the last operator's first. Layers' scopes
        # follow each other; what is below them is a layer's own, and may be called as another is.
        for path in tensor.split(";"):
            found = dropwhile(lambda name: name is None, map(layer_of, path.split("/")))
            inner = [*takewhile(lambda name: name is not None, found)]
            if inner:
                return f"layer '{inner[-1]}', "
        return ""

    return name_layer
