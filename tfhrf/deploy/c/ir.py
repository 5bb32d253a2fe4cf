"""Quantized TensorFlow Lite graphs as plain data, and the scales of their operators."""

import dataclasses
import math
from typing import Any, NoReturn

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.tflite import graph as graphs

ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}
BOUNDS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
BINARY = {"ADD", "SUB", "MUL", "DIV", "PRELU", "SQUARED_DIFFERENCE"}
CHOICES = {"MAXIMUM", "MINIMUM"}
COMPARISONS = {"EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"}
UNARY = {
    "ABS",
    "ELU",
    "LOGISTIC",
    "TANH",
    "RSQRT",
    "RELU",
    "RELU6",
    "LEAKY_RELU",
    "HARD_SWISH",
    "QUANTIZE",
}


@dataclasses.dataclass(eq=False)
class Tensor:
    """A tensor of a graph: real value = scale * (value - zero_point)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_point: int = 0
    data: np.ndarray | None = None
    variable: bool = False  # held by an operator from one call to the next

    @property
    def scale(self):
        return float(self.scales[0])

    @property
    def limits(self):
        return np.iinfo(self.dtype)


@dataclasses.dataclass(eq=False)
class Operator:
    """An operator; fused ones have names of their own and keep what they need in `extra`."""

    name: str
    inputs: list[Any]
    outputs: list[Tensor]
    options: Any = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def output(self):
        return self.outputs[0]


@dataclasses.dataclass
class Graph:
    operators: list[Operator]
    inputs: list[Tensor]
    outputs: list[Tensor]
    # Variables, and pairs of one of them and what it becomes at the end: see `state`.
    states: list[Any] = dataclasses.field(default_factory=list)
    updates: list[tuple[Any, Tensor]] = dataclasses.field(default_factory=list)

    @property
    def kept(self):
        """What is needed when the graph has run: outputs, and what variables become."""
        return [*self.outputs, *(tensor for _, tensor in self.updates)]

    def consumers(self, tensor):
        return [op for op in self.operators if any(x is tensor for x in op.inputs)]

    def producer(self, tensor):
        return next((op for op in self.operators if any(x is tensor for x in op.outputs)), None)


def refuse(operator: Operator, reason: str, tensor: Tensor | None = None) -> NoReturn:
    """ValueError that names an operator and a tensor."""
    tensor = tensor or operator.output
    raise ValueError(
        f"No C code for operator {operator.name}: {reason}. Received: tensor '{tensor.name}' of "
        f"type {tensor.dtype} and shape {list(tensor.shape)}"
    )


def check_same_scale(operator, x=None):
    x, y = x or operator.inputs[0], operator.output
    if x.scale != y.scale or x.zero_point != y.zero_point:
        refuse(operator, "its output has another scale than its input")


def read(model):
    """ModelT -> Graph."""
    subgraph = model.subgraphs[0]
    tensors = [read_tensor(model, tensor, i) for i, tensor in enumerate(subgraph.tensors)]
    operators = [
        Operator(
            graphs.operator_name(model, op),
            [tensors[i] if i >= 0 else None for i in op.inputs],
            [tensors[i] for i in op.outputs],
            op.builtinOptions,
        )
        for op in subgraph.operators
    ]
    return Graph(
        operators, [tensors[i] for i in subgraph.inputs], [tensors[i] for i in subgraph.outputs]
    )


def read_tensor(model, tensor, index):
    dtype = graphs.type_name(tensor)
    quantization = tensor.quantization
    scales, zero_points = np.zeros(0, np.float32), [0]
    if quantization is not None and quantization.scale is not None:
        scales = np.array(quantization.scale, np.float32)
        zero_points = quantization.zeroPoint
    shape = tuple(graphs.shape_of(tensor))
    data = None
    if graphs.is_constant(model, tensor):
        raw = bytes(model.buffers[tensor.buffer].data)
        data = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape)
    name = graphs.tensor_name(tensor) or f"#{index}"
    zero_point = int(zero_points[0]) if zero_points is not None and len(zero_points) else 0
    return Tensor(name, shape, dtype, scales, zero_point, data, bool(tensor.isVariable))


def activation(operator):
    return ACTIVATIONS.get(getattr(operator.options, "fusedActivationFunction", 0), "another")


def clamp(operator, values):
    """The fused activation of an operator, on values in its output's type."""
    kind = activation(operator)
    if kind == "NONE":
        return values
    if kind not in BOUNDS:
        refuse(operator, "its fused activation is unknown")
    return np.clip(values, *bounds_of(kind, operator.output))


def bounds_of(kind, tensor):
    """The least and the largest value that an activation leaves, in steps of a tensor."""
    return [
        limit
        if bound is None
        else int(np.clip(tensor.zero_point + quantized(bound, tensor), *limits_of(tensor)))
        for bound, limit in zip(BOUNDS[kind], limits_of(tensor), strict=True)
    ]


def limits_of(tensor):
    return tensor.limits.min, tensor.limits.max


def quantized(real, tensor):
    """A real number in steps of a tensor, rounded away from zero in single precision."""
    steps = np.float32(real) / np.float32(tensor.scale)
    return int(math.copysign(math.floor(abs(float(steps)) + 0.5), steps))


def shared_scale(operator):
    """(bits, three quantized multipliers) of ADD, SUB and SQUARED_DIFFERENCE."""
    (a, b), y = operator.inputs[:2], operator.output
    square = operator.name == "SQUARED_DIFFERENCE"
    wide = y.dtype == "int16"
    bits = (0 if wide else 7) if square else (15 if wide else 20)
    twice = 2 * max(a.scale, b.scale)
    result = twice * twice / ((1 << 2 * bits) * y.scale) if square else twice / (2**bits * y.scale)
    return bits, [exact.quantize_multiplier(m) for m in (a.scale / twice, b.scale / twice, result)]


def product_scale(operator):
    a, b = operator.inputs[:2]
    return exact.quantize_multiplier(a.scale * b.scale / operator.output.scale)


def quotient_scale(operator):
    a, b = operator.inputs[:2]
    return exact.quantize_multiplier(a.scale / (b.scale * operator.output.scale))


def slope_scales(operator):
    """Quantized multipliers of PRELU: of values above zero, of values below times their slopes."""
    x, alpha = operator.inputs[:2]
    y = operator.output
    reals = (x.scale / y.scale, x.scale * alpha.scale / y.scale)
    return [exact.quantize_multiplier(real) for real in reals]


def is_narrow(multiplier, shift):
    """Whether a tfhrf_narrow_scale of 16-bit kernels can hold a quantized multiplier."""
    return shift <= -2


def shrinks(operator):
    """Whether 16-bit ADD, SUB or MUL ends with a scale below 1, as the fast kernels need."""
    if operator.name == "MUL":
        return product_scale(operator)[1] <= 0
    return operator.name in ("ADD", "SUB") and shared_scale(operator)[1][2][1] <= 0


def mean_scale(operator, count):
    """Quantized multiplier from a sum of `count` values to their mean."""
    x, y = operator.inputs[0], operator.output
    multiplier, shift = exact.quantize_multiplier(x.scale / y.scale)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << bits) // count, shift - bits
