"""From operators to steps: each operator's lowering adds its steps, one operator after the other.

Here lies what lowerings share, where tensors are, and the table of the lowerings.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from tfhrf.deploy.c.ir import COMPARISONS, refuse
from tfhrf.deploy.c.literals import INT8, INT16, Precision
from tfhrf.deploy.c.operators.attention import lower_attention
from tfhrf.deploy.c.operators.convolution import (
    lower_bilinear,
    lower_conv,
    lower_pool,
    lower_transposed,
)
from tfhrf.deploy.c.operators.dense import lower_dense
from tfhrf.deploy.c.operators.elementwise import (
    lower_choice,
    lower_comparison,
    lower_elementwise,
    lower_select,
)
from tfhrf.deploy.c.operators.matmul import lower_matmul
from tfhrf.deploy.c.operators.movers import MOVERS, VIEWS, move, part_of, view_of
from tfhrf.deploy.c.operators.normalization import (
    lower_l2_norm,
    lower_layer_norm,
    lower_place,
    lower_reduce,
)
from tfhrf.deploy.c.operators.recurrent import lower_lstm, lower_svdf
from tfhrf.deploy.c.operators.softmax import lower_log_softmax, lower_softmax
from tfhrf.deploy.c.views import Storage, View, strides_of
from tfhrf.deploy.memory_plan import round_up
from tfhrf.deploy.tflite.graph import PLACES

INTEGERS = {"int8", "int16", "int32", "int64", "bool"}
# Kernels that write several matrices, each anywhere.
IN_BATCHES = {"ATTENTION", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}


class Lowering:
    """Lowers the operators of a graph in their order."""

    def __init__(self, graph, layouts, precision):
        self.graph = graph
        self.layouts = layouts
        self.precision = precision
        self.steps = []
        self.copied = 0
        self.views = {}
        self.candidates = {}
        self.parts = {}
        self.kept = []
        for tensor, name in zip(graph.inputs, argument_names("in", graph.inputs), strict=True):
            storage = Storage("input", tensor.dtype, tensor_size(tensor), name)
            self.views[id(tensor)] = View(
                storage, np.arange(tensor_size(tensor)).reshape(tensor.shape)
            )
        for state in graph.states:
            storage = Storage(
                "state", state.tensor.dtype, tensor_size(state.tensor), f"state->{state.name}"
            )
            address = np.arange(storage.elements).reshape(state.tensor.shape)
            self.views[id(state.tensor)] = View(storage, address)
        self.find_parts()
        for operator in graph.operators:
            lower_it = LOWERINGS[precision].get(operator.name)
            if lower_it is None:
                refuse(operator, "there is no kernel")
            for tensor in (*operator.inputs, *operator.outputs):
                if tensor is not None and tensor.dtype not in INTEGERS:
                    refuse(operator, "it is not quantized to integers", tensor)
            others = (*VIEWS, *COMPARISONS, *PLACES)
            if operator.output.dtype != precision.dtype and operator.name not in others:
                refuse(operator, "its output has another type than the other values")
            lower_it(self, operator)
        self.write_outputs()
        self.write_states()

    def put(self, tensor, view):
        """Makes a view the place of a tensor, which lives as long as the lowering."""
        self.kept.append(tensor)
        self.views[id(tensor)] = view

    def find_parts(self):
        """Inputs of CONCATENATION and PACK that can be computed right where they belong."""
        for operator in self.graph.operators:
            if operator.name not in ("CONCATENATION", "PACK"):
                continue
            for position, tensor in enumerate(operator.inputs):
                producer = self.graph.producer(tensor)
                if (
                    producer is not None
                    and producer.name not in VIEWS | {"CONCATENATION", "PACK"}
                    and id(tensor) not in self.parts
                    and not any(tensor is output for output in self.graph.outputs)
                    and sum(other is tensor for other in operator.inputs) == 1
                ):
                    self.parts[id(tensor)] = (operator, position)

    def write_outputs(self):
        """Copies to outputs that lie elsewhere: inputs, constants, one tensor as two outputs."""
        names = argument_names("out", self.graph.outputs)
        for tensor, name in zip(self.graph.outputs, names, strict=True):
            view = self.view(tensor)
            if view.storage.role != "output" or view.storage.name != name:
                storage = Storage("output", tensor.dtype, tensor_size(tensor), name)
                address = np.arange(tensor_size(tensor)).reshape(tensor.shape)
                move(self, view, View(storage, address))

    def write_states(self):
        """Copies to variables, when nothing reads them any more."""
        views = [self.view(tensor) for _, tensor in self.graph.updates]
        views = [self.copy(view) if view.storage.role == "state" else view for view in views]
        first = len(self.steps)
        for (state, _), view in zip(self.graph.updates, views, strict=True):
            move(self, view, self.views[id(state.tensor)])
        self.steps[first:] = [dataclasses.replace(step, last=True) for step in self.steps[first:]]

    def view(self, tensor):
        """Where a tensor that is computed already, or constant, lies."""
        if id(tensor) not in self.views:
            if tensor.data is None:
                raise ValueError(f"Tensor is read before it is computed. Received: {tensor.name}")
            storage = Storage(
                "constant", tensor.dtype, tensor.data.size, tensor.name, tensor.data.ravel()
            )
            self.views[id(tensor)] = View(
                storage, np.arange(tensor.data.size).reshape(tensor.shape)
            )
        return self.views[id(tensor)]

    def allocate(self, tensor):
        """Where a tensor that is computed now goes."""
        if id(tensor) in self.views:
            return self.views[id(tensor)]
        size = tensor_size(tensor)
        view = self.part(tensor) if id(tensor) in self.parts else None
        names = argument_names("out", self.graph.outputs)
        named = [n for n, t in zip(names, self.graph.outputs, strict=True) if t is tensor]
        if view is None and named:
            storage = Storage("output", tensor.dtype, size, named[0])
            view = View(storage, np.arange(size).reshape(tensor.shape))
        elif view is None:
            view = self.arrange(tensor)
        self.views[id(tensor)] = view
        return view

    def part(self, tensor):
        """Where a tensor lies inside a CONCATENATION's output, or None if a copy must do."""
        operator, position = self.parts[id(tensor)]
        whole = self.allocate(operator.output)
        address = part_of(operator, whole.address, position)
        if self.graph.producer(tensor).name not in IN_BATCHES:
            address = address.reshape(-1, tensor.shape[-1])
        if strides_of(address) is None:
            del self.parts[id(tensor)]
            return None
        return View(whole.storage, address.reshape(tensor.shape))

    def arrange(self, tensor):
        """A new storage, in the order of the tensor that `layouts` names for it."""
        chosen = self.layouts.get(id(tensor))
        size = tensor_size(tensor)
        self.candidates[id(tensor)] = derived(self.graph, tensor)
        if chosen is None:
            storage = Storage("arena", tensor.dtype, size, tensor.name)
            return View(storage, np.arange(size).reshape(tensor.shape))
        order, shape = self.candidates[id(tensor)][chosen]
        width = round_up(shape[-1], 4)
        slots = np.arange(size // shape[-1] * width).reshape(-1, width)[:, : shape[-1]]
        address = np.empty(size, np.int64)
        address[order.ravel()] = slots.ravel()
        storage = Storage("arena", tensor.dtype, size // shape[-1] * width, tensor.name)
        return View(storage, address.reshape(tensor.shape))

    def copy(self, source, shape=None):
        """A view with the same values in a storage of their own, one after the other."""
        shape = source.address.shape if shape is None else shape
        width = round_up(shape[-1], 4) if len(shape) > 1 else shape[-1]
        count = int(np.prod(shape)) // shape[-1]
        storage = Storage("arena", source.storage.dtype, count * width, "copy")
        slots = np.arange(count * width).reshape(count, width)[:, : shape[-1]]
        target = View(storage, slots.reshape(shape))
        self.move(source, target)
        return target

    def move(self, source, target):
        self.copied += source.address.size
        move(self, source, target)

    def contiguous(self, view):
        """The view, or a copy, with strides, the last axis dense."""
        strides = strides_of(view.address)
        if strides is not None and (strides[-1] == 1 or view.address.shape[-1] == 1):
            return view
        return self.copy(view)

    def matrix(self, view, columns):
        """(view of shape (rows, columns), row stride), columns dense."""
        flat = view.reshape(-1, columns)
        strides = strides_of(flat.address)
        if strides is None or (columns > 1 and strides[1] != 1):
            flat = self.copy(flat)
            strides = strides_of(flat.address)
        return flat, strides[0]


def argument_names(word, tensors):
    """Names of the arguments for inputs or outputs: numbered where there are several."""
    return [word] if len(tensors) == 1 else [f"{word}{i}" for i in range(len(tensors))]


def tensor_size(tensor):
    return int(np.prod(tensor.shape))


def derived(graph, tensor):
    """Tensors that hold all elements of a tensor in another order: [(order, shape)]."""
    found: list[tuple] = []
    pending = [(tensor, np.arange(tensor_size(tensor)).reshape(tensor.shape))]
    while pending:
        current, order = pending.pop()
        for reader in graph.consumers(current):
            if reader.name in ("RESHAPE", "TRANSPOSE") and reader.inputs[0] is current:
                (new,) = view_of(reader, order)
                pending.append((reader.output, new))
                if reader.name == "TRANSPOSE" or len(found) > 0:
                    found.append((new, new.shape))
            elif (
                reader.name == "ATTENTION"
                and current is reader.inputs[2]
                and not reader.extra["product"].options.adjY
            ):
                new = np.swapaxes(order, -1, -2)
                found.append((new, new.shape))
    return found


BOTH = {
    **MOVERS,
    **dict.fromkeys(("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"), lower_elementwise),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), lower_choice),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), lower_conv),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), lower_pool),
    "ATTENTION": lower_attention,
    "BATCH_MATMUL": lower_matmul,
    "FULLY_CONNECTED": lower_dense,
    "LAYER_NORM": lower_layer_norm,
    "MEAN": lower_reduce,
    "SELECT_V2": lower_select,
    "SOFTMAX": lower_softmax,
    "TRANSPOSE_CONV": lower_transposed,
}
FUNCTIONS16 = [
    *("ABS", "CLAMP", "LEAKY_RELU", "LINES", "LOGISTIC"),
    *("QUANTIZE", "RELU", "RSQRT", "TANH"),
]
# The lowering of each operator that has a kernel.
LOWERINGS: dict[Precision, dict[str, Callable]] = {
    INT8: BOTH
    | dict.fromkeys(COMPARISONS, lower_comparison)
    | dict.fromkeys(("TABLE", "DIV", "PRELU"), lower_elementwise)
    | dict.fromkeys(("REDUCE_MAX", "REDUCE_MIN", "SUM"), lower_reduce)
    | dict.fromkeys(PLACES, lower_place)
    | {"L2_NORMALIZATION": lower_l2_norm, "LOG_SOFTMAX": lower_log_softmax}
    | {"RESIZE_BILINEAR": lower_bilinear}
    | {"UNIDIRECTIONAL_SEQUENCE_LSTM": lower_lstm, "SVDF": lower_svdf},
    INT16: BOTH | dict.fromkeys(FUNCTIONS16, lower_elementwise),
}


def lower(graph):
    """Steps that copy least: each storage in the order that its readers like best.

    Raises:
        ValueError: values of two types are computed, or an operator has no kernel.
    """
    kinds = {tensor.dtype for op in graph.operators for tensor in op.outputs}
    kinds |= {tensor.dtype for tensor in graph.inputs}
    # Tokens, and where they lie, are beside the values.
    kinds &= {"int8", "int16"}
    if len(kinds) > 1:
        raise ValueError(
            f"All computed tensors must have one type, int8 or int16. Received: {sorted(kinds)}"
        )
    precision = INT16 if kinds == {"int16"} else INT8
    layouts: dict = {}
    best = Lowering(graph, layouts, precision)
    for tensor, choices in best.candidates.items():
        for choice in range(len(choices)):
            if best.copied == 0:
                return best.steps
            try:
                tried = Lowering(graph, {**layouts, tensor: choice}, precision)
            except ValueError:
                # A kernel cannot write in this order.
                continue
            if tried.copied < best.copied:
                best = tried
                layouts = {**layouts, tensor: choice}
    return best.steps
