"""summary: what a model costs as it trains and after folding."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import tree

from tfhrf.hrf.fold import fold
from tfhrf.hrf.layers import HRFDense
from tfhrf.hrf.rebuild import graph_of, nodes_of

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)


class Cost(NamedTuple):
    """Counts for one form of a model; bytes are those of float32 weights."""

    parameters: int
    multiply_accumulates: int
    bytes: int


class Summary(NamedTuple):
    """Costs of a model as it trains and folded; `str()` gives a table.

    `merging` is the part of `trained.multiply_accumulates` that forms merged kernels, once per
    step whatever the batch; `uncounted` names the kinds of layers with weights that count as no
    multiply-accumulates.
    """

    trained: Cost
    folded: Cost
    merging: int
    uncounted: tuple[str, ...]

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("", "as trained", "folded")]
        for field in Cost._fields:
            name = {"multiply_accumulates": "multiply-accumulates", "bytes": "bytes (float32)"}
            values = (getattr(cost, field) for cost in (self.trained, self.folded))
            rows.append((name.get(field, field), *(f"{value:,}" for value in values)))
        rows.insert(3, ("  of them merging kernels", f"{self.merging:,}", "0"))
        lines = [f"{name:<26}{trained:>16}{folded:>16}" for name, trained, folded in rows]
        lines.append("Multiply-accumulates are those of one example; merging is once per step.")
        if self.uncounted:
            lines.append(f"Not counted: {', '.join(self.uncounted)}.")
        return "\n".join(lines)


def summary(model: keras.Model) -> Summary:
    """Parameters, multiply-accumulates and bytes of a model, as it trains and folded.

    Multiply-accumulates are those of one forward pass over one example (batch 1), from the
    model's input shapes: Dense, HRFDense, EinsumDense, one- and two-dimensional convolutions
    (grouped, depthwise, separable), `keras.ops.matmul`, `keras.ops.einsum` and
    `keras.layers.Dot`, in nested models and TimeDistributed too. All else counts as none; the
    kinds of layers with weights among it are named. "As trained" is what HRFDense does: one
    product with the merged kernel, as a Dense layer, plus merging the factors, which costs the
    same for a batch of any size. "Folded" is `fold(model)`.

    Args:
        model: a functional or built Sequential model with no unknown dimension but the batch.

    Returns:
        A `Summary`, plain numbers; print it for a table.

    Raises:
        ValueError: an input has an unknown dimension besides the batch, or `fold` refuses.
    """
    folded = fold(model)
    trained_cost, merging, uncounted = cost_of(model)
    folded_cost, _, _ = cost_of(folded)
    return Summary(trained_cost, folded_cost, merging, uncounted)


def cost_of(model: keras.Model) -> tuple[Cost, int, tuple[str, ...]]:
    """(Cost, multiply-accumulates that merge kernels, names of layer kinds not counted)."""
    totals = {"product": 0, "merging": 0}
    uncounted: set[str] = set()

    def run(graph: keras.Function, inputs: Any, times: int) -> Any:
        """Adds `times` passes through a graph on symbolic inputs; returns its outputs."""
        values = {id(x): y for x, y in zip(graph.inputs, tree.flatten(inputs), strict=True)}
        for node in nodes_of(graph):
            if node.is_input:
                continue
            args, kwargs = node.arguments.fill_in(values)
            outputs = tree.flatten(visit(node.operation, args, kwargs, times))
            values.update(zip(map(id, node.outputs), outputs, strict=True))
        return tree.map_structure(lambda x: values[id(x)], graph.output)

    def visit(
        operation: keras.Operation, args: Sequence[Any], kwargs: Mapping[str, Any], times: int
    ) -> Any:
        graph = graph_of(operation)
        if graph is not None:
            return run(graph, args[0], times)
        outputs = operation.compute_output_spec(*args, **kwargs)
        if isinstance(operation, keras.layers.EinsumDense):
            # Keras leaves the lengths open that pass through; the equation knows them.
            shape = einsum_output(operation.equation, [args[0].shape, operation.kernel.shape])
            outputs = keras.KerasTensor(shape, dtype=outputs.dtype)
        if isinstance(operation, keras.layers.TimeDistributed):
            batch, steps, *rest = args[0].shape
            step = keras.KerasTensor((batch, *rest), dtype=args[0].dtype)
            visit(operation.layer, (step,), {}, times * steps)
            return outputs
        count = products(operation, args, outputs)
        if count is None:
            uncounted.add(type(operation).__name__)
        else:
            totals["product"] += times * count
        if isinstance(operation, HRFDense):
            totals["merging"] += times * merging_cost(operation)
        return outputs

    run(graph_of(model), tree.map_structure(one_example, graph_of(model).input), 1)
    parameters = model.count_params()
    cost = Cost(parameters, totals["product"] + totals["merging"], 4 * parameters)
    return cost, totals["merging"], tuple(sorted(uncounted))


def one_example(x: keras.KerasTensor) -> keras.KerasTensor:
    """A symbolic tensor like a model's input, with batch 1."""
    shape = (1, *x.shape[1:])
    if None in shape:
        raise ValueError(
            f"Multiply-accumulates need input '{x.name}' to have a fixed shape. Received: {x.shape}"
        )
    return keras.KerasTensor(shape, dtype=x.dtype)


def products(operation: keras.Operation, args: Sequence[Any], outputs: Any) -> int | None:
    """Multiply-accumulates of one call; None for a layer with weights of an unknown kind."""
    if any(None in x.shape for x in tree.flatten(outputs)):
        raise ValueError(
            f"Multiply-accumulates need the output of '{operation.name}' to have a fixed shape. "
            f"Received: {[x.shape for x in tree.flatten(outputs)]}"
        )
    size = math.prod(outputs.shape) if isinstance(outputs, keras.KerasTensor) else 0
    if isinstance(operation, (keras.layers.Dense, HRFDense)):
        return size * shape_of(args[0])[-1]
    if isinstance(operation, keras.layers.EinsumDense):
        return einsum_products(operation.equation, [args[0].shape, operation.kernel.shape])
    if isinstance(operation, SEPARABLE):
        depthwise, pointwise = operation.depthwise_kernel, operation.pointwise_kernel
        positions = size // shape_of(pointwise)[-1]
        return positions * (math.prod(shape_of(depthwise)) + math.prod(shape_of(pointwise)))
    if isinstance(operation, DEPTHWISE):
        return size * math.prod(shape_of(operation.kernel)[:-2])
    if isinstance(operation, CONVOLUTIONS):
        # The kernel holds the input channels of one group only.
        return size * math.prod(shape_of(operation.kernel)[:-1])
    if isinstance(operation, keras.layers.Dot):
        axes = operation.axes
        return size * shape_of(args[0][0])[axes if isinstance(axes, int) else axes[0]]
    if isinstance(operation, keras.Layer):
        return None if operation.weights else 0
    # Keras keeps the classes of its operations to itself; their names are those of its functions.
    name = type(operation).__name__
    if name == "Matmul":
        return size * shape_of(args[0])[-1]
    if name == "Einsum":
        return einsum_products(operation.subscripts, [x.shape for x in args])
    return 0


def shape_of(x: keras.KerasTensor | keras.Variable) -> tuple[int, ...]:
    """A shape without unknown dimensions."""
    return tuple(x.shape)


def einsum_products(equation: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """The product of all index ranges of an einsum: one multiplication each."""
    return math.prod(einsum_ranges(equation, shapes).values())


def einsum_output(equation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The output shape of an einsum."""
    ranges = einsum_ranges(equation, shapes)
    labels = equation.replace(" ", "").split("->")[1]
    before, dots, after = labels.partition("...")
    covered = sorted((label for label in ranges if label.startswith("...")), reverse=True)
    return tuple(ranges[label] for label in [*before, *(covered if dots else []), *after])


def einsum_ranges(equation: str, shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
    """Dict of the index ranges of an einsum, by label."""
    ranges: dict[str, int] = {}
    for labels, shape in zip(equation.split("->")[0].split(","), shapes, strict=True):
        before, dots, after = labels.replace(" ", "").partition("...")
        middle = len(shape) - len(before) - len(after)
        # What an ellipsis covers is numbered from its end, so that operands align.
        covered = [f"...{i}" for i in range(middle, 0, -1)] if dots else []
        for label, length in zip([*before, *covered, *after], shape, strict=True):
            ranges[label] = max(length, ranges.get(label, 1))
    return ranges


def merging_cost(layer: HRFDense) -> int:
    """Multiply-accumulates that form the merged kernel of an HRFDense layer."""
    input_dim, inner = shape_of(layer.factors[0])
    # The inner factors are multiplied onto the smaller outer one.
    rows = min(input_dim, layer.units)
    return rows * inner * inner * (layer.depth - 2) + input_dim * inner * layer.units
