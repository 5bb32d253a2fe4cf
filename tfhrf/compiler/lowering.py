"""From operators to steps: calls of C kernels on views of storages.

A step computes its output row by row. Operands that it reads in the same rows are aligned; of
others it may read anything. Which rows those are, `schedule` finds out from the addresses.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from tfhrf.compiler import arithmetic as exact
from tfhrf.compiler.fusion import IDENTITY, look_up, raw_output
from tfhrf.compiler.operators import (
    activation,
    clamp,
    product_scale,
    refuse,
    shared_scale,
)
from tfhrf.compiler.views import Storage, View, nested_loops, strides_of

SUPPORTED_VIEWS = {"RESHAPE", "TRANSPOSE", "SPLIT", "SLICE", "STRIDED_SLICE", "GATHER"}

# Kernels that write several matrices, each anywhere.
IN_BATCHES = {"ATTENTION", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"}


@dataclasses.dataclass(eq=False)
class Operand:
    """What a step reads or writes: an address array whose first axis are the step's rows."""

    view: View
    aligned: bool

    @property
    def storage(self):
        return self.view.storage

    @property
    def rows(self):
        """Addresses, one line for each row."""
        address = self.view.address
        return address.reshape(address.shape[0], -1)


@dataclasses.dataclass(eq=False)
class Step:
    """A call of a kernel.

    `call(write, pointers, rows)` returns lines of C; `write` makes constants, `pointers` are C
    expressions for the operands (reads, then the write), `rows` counts rows.
    """

    name: str
    rows: int
    reads: list[Operand]
    write: Operand
    call: Callable
    scratch: int = 0
    kernels: tuple[str, ...] = ()


class Lowering:
    """Lowers the operators of a graph in their order."""

    def __init__(self, graph, layouts):
        self.graph = graph
        self.layouts = layouts
        self.steps = []
        self.copied = 0
        self.views = {}
        self.candidates = {}
        self.parts = {}
        for tensor, name in zip(graph.inputs, argument_names("in", graph.inputs), strict=True):
            storage = Storage("input", tensor.dtype, tensor_size(tensor), name)
            self.views[id(tensor)] = View(storage, np.arange(tensor_size(tensor)).reshape(tensor.shape))
        self.find_parts()
        for operator in graph.operators:
            lower = LOWERINGS.get(operator.name)
            if lower is None:
                refuse(operator, "there is no kernel")
            for tensor in (*operator.inputs, *operator.outputs):
                if tensor is not None and tensor.dtype not in ("int8", "int32", "int16", "int64"):
                    refuse(operator, "it is not quantized to integers", tensor)
            lower(self, operator)

    def find_parts(self):
        """Inputs of CONCATENATION and PACK that can be computed right where they belong."""
        for operator in self.graph.operators:
            if operator.name not in ("CONCATENATION", "PACK"):
                continue
            for position, tensor in enumerate(operator.inputs):
                producer = self.graph.producer(tensor)
                if (
                    producer is not None
                    and producer.name not in SUPPORTED_VIEWS | {"CONCATENATION", "PACK"}
                    and id(tensor) not in self.parts
                    and not any(tensor is output for output in self.graph.outputs)
                    and sum(other is tensor for other in operator.inputs) == 1
                ):
                    self.parts[id(tensor)] = (operator, position)

    def view(self, tensor):
        """Where a tensor that is computed already, or constant, lies."""
        if id(tensor) not in self.views:
            if tensor.data is None:
                raise ValueError(f"Tensor is read before it is computed. Received: {tensor.name}")
            storage = Storage("constant", tensor.dtype, tensor.data.size, tensor.name, tensor.data.ravel())
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
        width = -(-shape[-1] // 4) * 4
        slots = np.arange(size // shape[-1] * width).reshape(-1, width)[:, : shape[-1]]
        address = np.empty(size, np.int64)
        address[order.ravel()] = slots.ravel()
        storage = Storage("arena", tensor.dtype, size // shape[-1] * width, tensor.name)
        return View(storage, address.reshape(tensor.shape))

    def add(self, name, rows, reads, write, call, scratch=0, kernels=()):
        self.steps.append(Step(name, rows, reads, write, call, scratch, kernels))

    def copy(self, source, shape=None):
        """A view with the same values in a storage of their own, one after the other."""
        shape = source.address.shape if shape is None else shape
        width = -(-shape[-1] // 4) * 4 if len(shape) > 1 else shape[-1]
        count = int(np.prod(shape)) // shape[-1]
        storage = Storage("arena", source.storage.dtype, count * width, "copy")
        slots = np.arange(count * width).reshape(count, width)[:, : shape[-1]]
        target = View(storage, slots.reshape(shape))
        self.move(source, target)
        return target

    def move(self, source, target):
        self.copied += source.address.size
        move(self, source, target)

    def contiguous(self, view, inner):
        """The view, or a copy, with the last axis dense and the `inner` axes before it affine."""
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
    found = []
    pending = [(tensor, np.arange(tensor_size(tensor)).reshape(tensor.shape))]
    while pending:
        current, order = pending.pop()
        for reader in graph.consumers(current):
            if reader.name in ("RESHAPE", "TRANSPOSE") and reader.inputs[0] is current:
                (new,) = view_of(reader, order)
                pending.append((reader.output, new))
                if reader.name == "TRANSPOSE" or len(found) > 0:
                    found.append((new, new.shape))
            elif reader.name == "ATTENTION" and current is reader.inputs[2]:
                if not reader.extra["product"].options.adjY:
                    new = np.swapaxes(order, -1, -2)
                    found.append((new, new.shape))
    return found


def part_of(operator, address, position):
    """The part of a CONCATENATION's or PACK's output that one input fills."""
    if operator.name == "PACK":
        return np.take(address, position, axis=operator.options.axis)
    axis = operator.options.axis % address.ndim
    lengths = [tensor.shape[axis] for tensor in operator.inputs]
    start = sum(lengths[:position])
    return np.take(address, np.arange(start, start + lengths[position]), axis=axis)


def view_of(operator, address):
    """The addresses of the outputs of an operator that only looks at its input another way."""
    name, inputs, options = operator.name, operator.inputs, operator.options
    if name == "RESHAPE":
        return [address.reshape(operator.output.shape)]
    if name == "TRANSPOSE":
        return [address.transpose([int(i) for i in inputs[1].data])]
    if name == "SPLIT":
        return np.split(address, len(operator.outputs), axis=int(inputs[0].data.flat[0]))
    if name == "GATHER":
        if inputs[1].data is None or getattr(options, "batchDims", 0):
            refuse(operator, "its indices are not constant", inputs[1])
        return [np.take(address, inputs[1].data, axis=options.axis)]
    if name == "SLICE":
        begin, size = (tensor.data for tensor in inputs[1:3])
        ends = [s if n == -1 else b + n for b, n, s in zip(begin, size, address.shape, strict=True)]
        return [address[tuple(slice(b, e) for b, e in zip(begin, ends, strict=True))]]
    begin, end, step = (tensor.data for tensor in inputs[1:4])
    if options.ellipsisMask or options.newAxisMask:
        refuse(operator, "its mask is not supported")
    index: list = []
    for axis in range(len(begin)):
        if options.shrinkAxisMask >> axis & 1:
            index.append(int(begin[axis]))
        else:
            low = None if options.beginMask >> axis & 1 else int(begin[axis])
            high = None if options.endMask >> axis & 1 else int(end[axis])
            index.append(slice(low, high, int(step[axis])))
    return [address[tuple(index)].reshape(operator.output.shape)]


def lower_view(lowering, operator):
    source = operator.inputs[1 if operator.name == "SPLIT" else 0]
    for operand in operator.inputs:
        if operand is not source and operand is not None and operand.data is None:
            refuse(operator, "it depends on computed values", operand)
    view = lowering.view(source)
    for tensor, address in zip(operator.outputs, view_of(operator, view.address), strict=True):
        if any(tensor is output for output in lowering.graph.outputs):
            lowering.move(View(view.storage, address), lowering.allocate(tensor))
        else:
            lowering.views[id(tensor)] = View(view.storage, address)


def lower_concatenation(lowering, operator):
    whole = lowering.allocate(operator.output)
    for position, tensor in enumerate(operator.inputs):
        if lowering.parts.get(id(tensor)) != (operator, position):
            address = part_of(operator, whole.address, position)
            lowering.move(lowering.view(tensor), View(whole.storage, address))


def move(lowering, source, target):
    """A step that copies the elements of a view to another."""
    loops = nested_loops(source.address, target.address)
    if loops is None:
        # Line by line: each innermost run is affine by itself.
        if source.address.ndim > 1:
            for low, high in zip(source.address, target.address, strict=True):
                move(lowering, View(source.storage, low), View(target.storage, high))
            return
        raise ValueError(f"Cannot copy element by element. Received: {source.storage.name}")
    reads = [Operand(View(source.storage, source.address.reshape(1, -1)), False)]
    write = Operand(View(target.storage, target.address.reshape(1, -1)), False)
    ctype = ctype_of(source.storage)

    def call(write, pointers, rows):
        lines = []
        offsets = [pointers[0], pointers[1]]
        outer = loops if loops else [(1, (1, 1))]
        for depth, (count, strides) in enumerate(outer):
            indent = "    " * depth
            lines.append(f"{indent}for (int32_t i{depth} = 0; i{depth} < {count}; ++i{depth}) {{")
            offsets = [
                offset if stride == 0 else f"{offset} + {stride} * i{depth}"
                for offset, stride in zip(offsets, strides, strict=True)
            ]
        indent = "    " * len(outer)
        lines.append(f"{indent}*({offsets[1]}) = *({offsets[0]});")
        lines += ["    " * depth + "}" for depth in reversed(range(len(outer)))]
        return lines

    del ctype
    lowering.add("copy", 1, reads, write, call)


def ctype_of(storage):
    return f"{storage.dtype}_t"


def scale_literal(multiplier, shift, zero_point):
    """Initializer of a tfhrf_scale."""
    left, right = max(shift, 0), max(-shift, 0)
    rounding = (1 << right >> 1) + (zero_point << right)
    if not -(2**30) < rounding < 2**30:
        rounding = 0
    return f"{{{multiplier}, {rounding}, {right}, {left}, {zero_point}}}"


def inner_scale(write, scale, zero_point, largest):
    """Initializer of a tfhrf_scale for an inner loop, where sums are no larger than `largest`."""
    multiplier, shift = scale
    fits = shift < 0 and largest < 2**30 and abs(zero_point) << -shift < 2**30 - 2**24
    if not fits and multiplier:
        write.any_scale = True
    return scale_literal(multiplier, shift if multiplier else -1, zero_point)


def final_table(operator):
    """What happens to saturated results: fused activation and table; None if nothing does."""
    raw = raw_output(operator)
    plain = operator if raw is operator.output else dataclasses.replace(operator, outputs=[raw])
    values = IDENTITY
    if activation(operator) != "NONE":
        values = clamp(plain, values)
    table = look_up(operator.extra.get("table", IDENTITY), values)
    return None if np.array_equal(table, IDENTITY) else table


def table_pointer(write, table):
    """C expression for a table at the index 0, or NULL."""
    if table is None:
        return "NULL"
    return f"&{write.array('int8_t', np.asarray(table), 'table')}[128]"


def weight_scales(operator, channels, x, weights, y):
    """Quantized multipliers: one, or one for each channel."""
    if len(weights.scales) > 1:
        if len(weights.scales) != channels:
            refuse(operator, "its weights have another number of scales than channels", weights)
        reals = [x.scale * float(s) / y.scale for s in weights.scales]
    else:
        reals = [x.scale * weights.scale / y.scale]
    return [exact.quantize_multiplier(real) for real in reals]


def pad_rows(matrix):
    """Rows of int8 values, each filled up with zeros to a multiple of four."""
    rows, depth = matrix.shape
    padded = np.zeros((rows, -(-depth // 4) * 4), np.int8)
    padded[:, :depth] = matrix
    return padded


def folded_bias(bias, weights, zero_point):
    """A bias that takes the input's zero point into account: int64."""
    plain = np.zeros(len(weights), np.int64) if bias is None else bias.data.astype(np.int64)
    return plain - zero_point * weights.astype(np.int64).sum(axis=1)


def dense_literal(write, operator, weights, bias, scales, zero_point, twice=True):
    """Name of a tfhrf_dense for a matrix of weights, one row for each output."""
    largest = int((np.abs(weights.astype(np.int64)).sum(axis=1) * 255 + np.abs(bias)).max())
    body = ", ".join(
        [
            write.array("int8_t", pad_rows(weights), "weights"),
            write.array("int32_t", bias * (1 + (twice and not write.any_scale)), "bias"),
            write.structs("tfhrf_scale", [inner_scale(write, s, zero_point, largest) for s in scales]),
            table_pointer(write, final_table(operator)),
            str(weights.shape[1]),
            str(weights.shape[0]),
            "1" if len(scales) > 1 else "0",
        ]
    )
    return write.struct("tfhrf_dense", f"{{{body}}}")


def pairs(depth, rows=2):
    """Pairs of scratch for so many widened rows."""
    return -(-depth // 8) * 4 * rows


def lower_dense(lowering, operator):
    x, weights, *rest = operator.inputs
    bias = rest[0] if rest else None
    y = raw_output(operator)
    if weights.data is None or (bias is not None and bias.data is None):
        refuse(operator, "its weights are not constant", weights)
    if weights.zero_point or weights.dtype != "int8" or x.dtype != "int8":
        refuse(operator, "its weights are not symmetric int8", weights)
    matrix = weights.data.reshape(weights.shape[0], -1)
    outputs, depth = matrix.shape
    scales = weight_scales(operator, outputs, x, weights, y)
    folded = folded_bias(bias, matrix, x.zero_point)
    source, stride = lowering.matrix(lowering.view(x), depth)
    target = lowering.allocate(operator.output).reshape(-1, outputs)
    out_stride, out_step = matrix_strides(lowering, operator, target)

    def call(write, pointers, rows):
        name = dense_literal(write, operator, matrix, folded, scales, y.zero_point)
        return [
            f"tfhrf_dense_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {out_step}, "
            f"{rows}, &{name}, {write.scratch});"
        ]

    lowering.add(
        "dense",
        len(source.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        4 * pairs(depth),
        ("dense",),
    )


def matrix_strides(lowering, operator, target):
    strides = strides_of(target.address)
    if strides is None:
        refuse(operator, "its output does not lie in rows")
    return strides


def broadcast_rows(view, shape):
    """Addresses of a view for an output of a shape: (rows, columns)."""
    return View(view.storage, np.broadcast_to(view.address, shape).reshape(-1, shape[-1]))


def lower_elementwise(lowering, operator):
    """TABLE, ADD, SUB, MUL and SQUARED_DIFFERENCE."""
    shape = operator.output.shape or (1,)
    columns = shape[-1]
    target = lowering.allocate(operator.output).reshape(-1, columns)
    sources = [broadcast_rows(lowering.view(tensor), shape) for tensor in operator.inputs]
    for position, source in enumerate(sources):
        if strides_of(source.address) is None:
            sources[position] = lowering.copy(source)
    strides = [strides_of(view.address) for view in (*sources, target)]
    if strides[-1] is None:
        refuse(operator, "its output does not lie in rows")
    arguments = [f"(tfhrf_strides){{{row}, {step}}}" for row, step in strides]

    def call(write, pointers, rows):
        if operator.name == "TABLE":
            table = table_pointer(write, operator.extra["table"])
            return [
                f"tfhrf_table_rows({pointers[0]}, {arguments[0]}, {pointers[1]}, {arguments[1]}, "
                f"{rows}, {columns}, {table});"
            ]
        name = binary_struct(write, operator, columns)
        kernel = {
            "ADD": "add",
            "SUB": "subtract",
            "MUL": "multiply",
            "SQUARED_DIFFERENCE": "squared_difference",
        }[operator.name]
        operands = ", ".join(f"{p}, {a}" for p, a in zip(pointers, arguments, strict=True))
        return [f"tfhrf_{kernel}_rows({operands}, {rows}, &{name});"]

    reads = [Operand(source, True) for source in sources]
    lowering.add(
        operator.name.lower(),
        len(target.address),
        reads,
        Operand(target, True),
        call,
        kernels=("elementwise",),
    )


def binary_body(write, operator, columns):
    """Initializer of a tfhrf_binary."""
    a, b = operator.inputs[:2]
    y = raw_output(operator)
    plain = dataclasses.replace(operator, outputs=[y])
    if operator.name == "MUL":
        bits, scales = 0, [(0, 0), (0, 0), product_scale(plain)]
    else:
        bits, scales = shared_scale(plain)
    body = [str(columns), str(bits), str(a.zero_point), str(b.zero_point)]
    # What is shifted left by 20 bits stays below 2**29, as does the sum of two halved values.
    largest = 255 * 255 if operator.name == "MUL" else 2**29
    if operator.name == "SQUARED_DIFFERENCE":
        largest = (255 << bits) ** 2
    for scale, zero_point in zip(scales, (0, 0, y.zero_point), strict=True):
        exact_half = scale == (1 << 30, 0)
        literal = scale_literal(*scale, zero_point)
        body.append(literal if exact_half else inner_scale(write, scale, zero_point, largest))
    body.append(table_pointer(write, final_table(operator)))
    return f"{{{', '.join(body)}}}"


def binary_struct(write, operator, columns):
    return write.struct("tfhrf_binary", binary_body(write, operator, columns))


def mean_scale(operator, count):
    """Quantized multiplier from a sum of `count` values to their mean."""
    x, y = operator.inputs[0], operator.output
    multiplier, shift = exact.quantize_multiplier(x.scale / y.scale)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << bits) // count, shift - bits


def lower_layer_norm(lowering, operator):
    (x,) = operator.inputs
    extra = operator.extra
    columns = x.shape[-1]
    source, stride = lowering.matrix(lowering.view(x), columns)
    target = lowering.allocate(operator.output).reshape(-1, columns)
    out_stride, out_step = matrix_strides(lowering, operator, target)
    if out_step != 1:
        refuse(operator, "its output's rows are not dense")
    mean, subtract, variance, product = (
        extra[key] for key in ("mean", "subtract", "variance", "product")
    )
    difference, inverse = extra["difference"], extra["inverse"]
    y = raw_output(operator)

    def call(write, pointers, rows):
        if variance.name == "BATCH_MATMUL":
            squares, squares_offset = "NULL", 0
            spread = product_scale(variance)
        else:
            squares = table_pointer(write, extra["squares_table"])
            squares_offset = -columns * variance.inputs[0].zero_point
            spread = mean_scale(variance, columns)
        scale = product_scale(dataclasses.replace(product, outputs=[y]))
        body = [
            str(columns),
            str(-columns * x.zero_point),
            scale_literal(*mean_scale(mean, columns), mean.output.zero_point),
            binary_body(write, subtract, columns),
            str(difference.zero_point),
            squares,
            str(squares_offset),
            scale_literal(*spread, variance.output.zero_point),
            table_pointer(write, extra["inverse_table"]),
            str(inverse.zero_point),
            inner_scale(write, scale, y.zero_point, 255 * 255),
            table_pointer(write, final_table(operator)),
        ]
        name = write.struct("tfhrf_layer_norm", f"{{{', '.join(body)}}}")
        return [
            f"tfhrf_layer_norm_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {rows}, "
            f"&{name});"
        ]

    lowering.add(
        "layer_norm",
        len(source.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        kernels=("layer_norm",),
    )


def exponentials(operator):
    """exp(-difference) as 31-bit fractions, for differences 0 ... 255."""
    x = operator.inputs[0]
    beta = float(np.float32(operator.options.beta))
    real = min(beta * x.scale * 2**26, 2.0**31 - 1)
    multiplier, shift = exact.quantize_multiplier(real)
    differences = -np.arange(256)
    inside = differences >= -exact.input_radius(5, shift)
    scaled = exact.high_multiply(np.where(inside, differences, 0) << shift, multiplier)
    return np.where(inside, exact.exp_on_negative(scaled, 5), 0)


def exponentials_name(write, operator):
    return write.array("uint32_t", exponentials(operator), "exponentials")


def lower_softmax(lowering, operator):
    x = operator.inputs[0]
    columns = x.shape[-1]
    check_softmax(operator)
    source, stride = lowering.matrix(lowering.view(x), columns)
    target = lowering.allocate(operator.output).reshape(-1, columns)
    out_stride, out_step = matrix_strides(lowering, operator, target)
    if out_step != 1:
        refuse(operator, "its output's rows are not dense")

    def call(write, pointers, rows):
        return [
            f"tfhrf_softmax_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {rows}, "
            f"{columns}, {exponentials_name(write, operator)});"
        ]

    lowering.add(
        "softmax",
        len(source.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        kernels=("softmax",),
    )


def check_softmax(operator):
    y = operator.output
    if y.zero_point != -128 or y.scale != 1 / 256:
        refuse(operator, "its output has not the scale 1/256 and the zero point -128")
    if operator.inputs[0].scale * 2**26 * operator.options.beta <= 1:
        refuse(operator, "its input's scale is too small", operator.inputs[0])


def matmul_body(write, operator, table, depth, columns):
    """Initializer of a tfhrf_matmul."""
    a, b = operator.inputs
    y = raw_output(operator)
    scale = product_scale(dataclasses.replace(operator, outputs=[y]))
    return (
        f"{{{depth}, {columns}, {-a.zero_point}, {-b.zero_point}, "
        f"{inner_scale(write, scale, y.zero_point, depth * 255 * 255)}, "
        f"{table_pointer(write, table)}}}"
    )


def right_rows(lowering, operator, tensor, batch):
    """The right operand, batches first, its columns as dense rows."""
    view = lowering.view(tensor)
    address = view.address
    if not operator.options.adjY:
        address = np.swapaxes(address, -1, -2)
    address = np.broadcast_to(address, (*batch, *address.shape[-2:]))
    return lowering.contiguous(View(view.storage, address), 1)


def left_rows(lowering, operator, tensor, batch):
    view = lowering.view(tensor)
    address = view.address
    if operator.options.adjX:
        address = np.swapaxes(address, -1, -2)
    address = np.broadcast_to(address, (*batch, *address.shape[-2:]))
    return lowering.contiguous(View(view.storage, address), 1)


def batch_loops(batch, views):
    """Loops over the batch axes of views: (opening lines, offsets of the views, closing lines)."""
    strides = [strides_of(view.address) for view in views]
    opening, closing = [], []
    offsets = ["" for _ in views]
    for axis, count in enumerate(batch):
        if count == 1:
            continue
        indent = "    " * len(opening)
        opening.append(f"{indent}for (int32_t b{axis} = 0; b{axis} < {count}; ++b{axis}) {{")
        closing.insert(0, f"{indent}}}")
        for position, stride in enumerate(strides):
            if stride[axis]:
                offsets[position] += f" + {stride[axis]} * b{axis}"
    return opening, offsets, closing


def rows_first(view):
    """A view of shape (..., rows, columns) as an operand with its rows first."""
    return View(view.storage, np.moveaxis(view.address, -2, 0))


def merge_batch(views):
    """Batch axes merged where all views allow it: views of shape (batches..., rows, columns)."""
    while views[0].address.ndim > 3:
        shape = views[0].address.shape
        merged = [
            View(v.storage, v.address.reshape(-1, *v.address.shape[2:])) for v in views
        ]
        if any(strides_of(v.address) is None for v in merged):
            return views
        del shape
        views = merged
    return views


def lower_matmul(lowering, operator):
    a, b = operator.inputs
    shape = operator.output.shape
    batch = shape[:-2]
    left = left_rows(lowering, operator, a, batch)
    right = right_rows(lowering, operator, b, batch)
    target = lowering.allocate(operator.output)
    for view in (left, right, target):
        if strides_of(view.address) is None:
            refuse(operator, "its output does not lie in rows")
    left, right, target = merge_batch([left, right, target])
    batch = target.address.shape[:-2]
    depth, columns = left.address.shape[-1], shape[-1]
    strides = [strides_of(view.address) for view in (left, right, target)]

    def call(write, pointers, rows):
        opening, offsets, closing = batch_loops(batch, (left, right, target))
        table = final_table(operator)
        name = write.struct("tfhrf_matmul", matmul_body(write, operator, table, depth, columns))
        indent = "    " * len(opening)
        return [
            *opening,
            f"{indent}tfhrf_matmul_rows({pointers[0]}{offsets[0]}, {strides[0][-2]}, "
            f"{pointers[1]}{offsets[1]}, {strides[1][-2]}, {pointers[2]}{offsets[2]}, "
            f"{strides[2][-2]}, {strides[2][-1]}, {rows}, &{name}, {write.scratch});",
            *closing,
        ]

    lowering.add(
        "matmul",
        shape[-2],
        [Operand(rows_first(left), True), Operand(rows_first(right), False)],
        Operand(rows_first(target), True),
        call,
        4 * pairs(depth),
        ("matmul",),
    )


def lower_attention(lowering, operator):
    q, k, v, *rest = operator.inputs
    extra = operator.extra
    scores, softmax, product = extra["scores"], extra["softmax"], extra["product"]
    check_softmax(softmax)
    shape = operator.output.shape
    batch = shape[:-2]
    query = left_rows(lowering, scores, q, batch)
    key = right_rows(lowering, scores, k, batch)
    value = right_rows(lowering, product, v, batch)
    target = lowering.allocate(operator.output)
    views = [query, key, value, target]
    rows, keys = query.address.shape[-2], key.address.shape[-2]
    if rest:
        added = lowering.view(rest[0])
        address = np.broadcast_to(added.address, (*batch, rows, keys))
        view = View(added.storage, address)
        views.append(view if strides_of(address) is not None else lowering.copy(view))
    for view in views:
        if strides_of(view.address) is None:
            refuse(operator, "its output does not lie in rows")
    views = merge_batch(views)
    batch = views[0].address.shape[:-2]
    strides = [strides_of(view.address) for view in views]
    depth, width = query.address.shape[-1], shape[-1]

    def call(write, pointers, rows):
        reads, to = pointers[:-1], pointers[-1]
        opening, offsets, closing = batch_loops(batch, views)
        table = extra.get("scores_table")
        body = [matmul_body(write, scores, final_scores_table(scores, table), depth, keys)]
        if rest:
            add = extra["add"]
            swapped = [add.inputs[extra["position"]], rest[0]]
            add = dataclasses.replace(add, inputs=swapped)
            body.append(f"&{binary_struct(write, add, keys)}")
            added = f"{reads[3]}{offsets[4]}, (tfhrf_strides){{{strides[4][-2]}, {strides[4][-1]}}}"
        else:
            body.append("NULL")
            added = "NULL, (tfhrf_strides){0, 0}"
        body.append(exponentials_name(write, softmax))
        product_now = dataclasses.replace(product, outputs=[raw_output(operator)])
        body.append(matmul_body(write, product_now, final_table(operator), keys, width))
        name = write.struct("tfhrf_attention", f"{{{', '.join(body)}}}")
        indent = "    " * len(opening)
        return [
            *opening,
            f"{indent}tfhrf_attention_rows({reads[0]}{offsets[0]}, {strides[0][-2]}, "
            f"{reads[1]}{offsets[1]}, {strides[1][-2]}, {reads[2]}{offsets[2]}, "
            f"{strides[2][-2]}, {added}, {to}{offsets[3]}, {strides[3][-2]}, {strides[3][-1]}, "
            f"{rows}, &{name}, {write.scratch});",
            *closing,
        ]

    query, key, value, target, *others = views
    reads = [
        Operand(rows_first(query), True),
        Operand(rows_first(key), False),
        Operand(rows_first(value), False),
        *(Operand(rows_first(view), True) for view in others),
    ]
    scratch = 4 * pairs(max(depth, keys)) + 2 * keys
    lowering.add(
        "attention",
        rows,
        reads,
        Operand(rows_first(target), True),
        call,
        scratch,
        ("attention",),
    )


def final_scores_table(scores, table):
    return None if table is None or np.array_equal(table, IDENTITY) else table


def lower_reduce(lowering, operator):
    """MEAN and REDUCE_MAX."""
    x, axes = operator.inputs
    if axes.data is None:
        refuse(operator, "its axes are not constant", axes)
    rank = len(x.shape)
    reduced = sorted({int(axis) % rank for axis in np.ravel(axes.data)})
    kept = [axis for axis in range(rank) if axis not in reduced]
    columns = (operator.output.shape or (1,))[-1]
    counts = [x.shape[axis] for axis in reduced]
    target = lowering.allocate(operator.output).reshape(-1, columns)
    source = lowering.view(x)
    for _ in range(2):
        address = source.address.transpose([*kept, *reduced]).reshape(-1, columns, *counts)
        strides = strides_of(address)
        if strides is not None:
            break
        source = lowering.copy(source)
    if strides is None or len(counts) > 3:
        refuse(operator, "its axes are too many")
    source = View(source.storage, address)
    out_stride, out_step = matrix_strides(lowering, operator, target)
    filled = [1] * (3 - len(counts)) + counts
    steps = [0] * (3 - len(counts)) + strides[2:]
    count = int(np.prod(counts))

    def call(write, pointers, rows):
        scale = "{0, 0, 0, 0, 0}"
        if operator.name == "MEAN":
            plain = dataclasses.replace(operator, outputs=[raw_output(operator)])
            scale = scale_literal(*mean_scale(plain, count), plain.output.zero_point)
        name = write.struct(
            "tfhrf_reduce",
            f"{{{columns}, {{{', '.join(map(str, filled))}}}, {{{', '.join(map(str, steps))}}}, "
            f"{-count * x.zero_point}, {scale}, {table_pointer(write, final_table(operator))}}}",
        )
        kernel = "mean" if operator.name == "MEAN" else "maximum"
        return [
            f"tfhrf_{kernel}_rows({pointers[0]}, {strides[0]}, {strides[1]}, {pointers[1]}, "
            f"{out_stride}, {out_step}, {rows}, &{name});"
        ]

    if operator.name == "REDUCE_MAX":
        check_same_scale(operator)
    lowering.add(
        operator.name.lower(),
        len(target.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        kernels=("reduce",),
    )


def check_same_scale(operator):
    x, y = operator.inputs[0], operator.output
    if x.scale != y.scale or x.zero_point != y.zero_point:
        refuse(operator, "its output has another scale than its input")


def window_of(operator, view, out_height, out_width, kernel):
    """(initializer of a tfhrf_window, whether height and width changed places)."""
    options = operator.options
    _, height, width, channels = view.address.shape
    dilation = [getattr(options, "dilationHFactor", 1) or 1, getattr(options, "dilationWFactor", 1) or 1]
    strides = [options.strideH, options.strideW]
    padding = []
    for size, out, length, stride, factor in zip(
        (height, width), (out_height, out_width), kernel, strides, dilation, strict=True
    ):
        reach = (out - 1) * stride + (length - 1) * factor + 1
        padding.append(0 if options.padding == 1 else max(0, reach - size) // 2)
    _, row, column, _ = strides_of(view.address)
    pairs_of = [(height, width), (row, column), kernel, strides, dilation, padding]
    swapped = out_height == 1 and height == 1 and kernel[0] == 1
    if swapped:
        pairs_of = [tuple(reversed(pair)) for pair in pairs_of]
        out_width = out_height
    size, steps, *others = pairs_of
    body = [*size, channels, *steps]
    for pair in others:
        body += pair
    body += [out_width, operator.inputs[0].zero_point]
    return f"{{{', '.join(map(str, body))}}}", swapped


def image(lowering, operator, kernel):
    """(input view, output view with lines as rows, window initializer) of a sliding window."""
    x, y = operator.inputs[0], operator.output
    if len(x.shape) != 4 or x.shape[0] != 1:
        refuse(operator, "it needs one image", x)
    source = lowering.contiguous(lowering.view(x), 3)
    target = lowering.allocate(y)
    window, swapped = window_of(operator, source, y.shape[1], y.shape[2], kernel)
    address = target.address[0]
    target = View(target.storage, np.swapaxes(address, 0, 1) if swapped else address)
    if strides_of(target.address) is None:
        refuse(operator, "its output does not lie in rows")
    return source, target, window


def lower_window(lowering, operator):
    """CONV_2D, DEPTHWISE_CONV_2D, AVERAGE_POOL_2D and MAX_POOL_2D."""
    x = operator.inputs[0]
    options = operator.options
    pool = operator.name.endswith("POOL_2D")
    depthwise = operator.name == "DEPTHWISE_CONV_2D"
    if pool:
        check_same_scale(operator)
        kernel = (options.filterHeight, options.filterWidth)
    else:
        weights = operator.inputs[1]
        bias = operator.inputs[2] if len(operator.inputs) > 2 else None
        if weights.data is None or weights.dtype != "int8" or weights.zero_point:
            refuse(operator, "its weights are not constant and symmetric int8", weights)
        kernel = weights.shape[1:3]
        if depthwise:
            matrix = np.moveaxis(weights.data[0], -1, 0)
            multiplier = weights.shape[-1] // x.shape[-1]
        else:
            matrix = weights.data
            if weights.shape[-1] != x.shape[-1]:
                refuse(operator, "its channels are in groups", weights)
        matrix = matrix.reshape(len(matrix), -1)
        scales = weight_scales(operator, len(matrix), x, weights, raw_output(operator))
    ones = kernel == (1, 1) and getattr(options, "strideH", 1) == getattr(options, "strideW", 1) == 1
    if operator.name == "CONV_2D" and ones:
        lower_dense(lowering, operator)
        return
    source, target, window = image(lowering, operator, kernel)
    out_row, out_column, out_step = strides_of(target.address)

    def call(write, pointers, rows, first="0"):
        geometry = write.struct("tfhrf_window", window)
        place = f"{pointers[0]}, {pointers[1]}, {out_row}, {out_column}, {out_step}, {first}, {rows}, &{geometry}"
        if pool:
            average = int(operator.name == "AVERAGE_POOL_2D")
            table = table_pointer(write, final_table(operator))
            return [f"tfhrf_pool_rows({place}, {average}, {table});"]
        if depthwise:
            plain = folded_bias(bias, matrix, 0)
            name = dense_literal(
                write, operator, matrix, plain, scales, raw_output(operator).zero_point, False
            )
            return [f"tfhrf_depthwise_rows({place}, &{name}, {multiplier});"]
        folded = folded_bias(bias, matrix, x.zero_point)
        name = dense_literal(write, operator, matrix, folded, scales, raw_output(operator).zero_point)
        return [f"tfhrf_conv_rows({place}, &{name}, {write.scratch});"]

    scratch = 0 if pool or depthwise else 4 * pairs(matrix.shape[1]) + matrix.shape[1]
    kind = "pool" if pool else "depthwise" if depthwise else "conv"
    lowering.add(
        kind,
        target.address.shape[0],
        [Operand(View(source.storage, source.address.reshape(1, -1)), False)],
        Operand(target, True),
        call,
        scratch,
        (kind,),
    )


def lower_pad(lowering, operator):
    x, amounts = operator.inputs[:2]
    if amounts.data is None or len(operator.inputs) > 2:
        refuse(operator, "its amounts are not constant", amounts)
    target = lowering.allocate(operator.output)
    value = np.array([operator.output.zero_point])
    filler = Storage("constant", x.dtype, 1, "padding", value)
    move(lowering, View(filler, np.zeros_like(target.address)), target)
    inner = tuple(
        slice(int(before), int(before) + length)
        for (before, _), length in zip(amounts.data, x.shape, strict=True)
    )
    lowering.move(lowering.view(x), View(target.storage, target.address[inner]))


LOWERINGS = {
    **dict.fromkeys(SUPPORTED_VIEWS, lower_view),
    "CONCATENATION": lower_concatenation,
    "PACK": lower_concatenation,
    "FULLY_CONNECTED": lower_dense,
    **dict.fromkeys(
        ("TABLE", "ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"), lower_elementwise
    ),
    "LAYER_NORM": lower_layer_norm,
    "SOFTMAX": lower_softmax,
    "BATCH_MATMUL": lower_matmul,
    "ATTENTION": lower_attention,
    **dict.fromkeys(("MEAN", "REDUCE_MAX"), lower_reduce),
    **dict.fromkeys(
        ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"), lower_window
    ),
    "PAD": lower_pad,
}
