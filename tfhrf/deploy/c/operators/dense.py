"""Lowers FULLY_CONNECTED, and arranges weights and biases for it and for convolutions.

Weights have 8 bits. Of 16-bit inputs and such weights 32 bits hold the sums, or the kernels of
tfhrf_wide16.h take 64.
"""

from typing import NamedTuple

import numpy as np

from tfhrf.deploy.c import arithmetic as exact
from tfhrf.deploy.c.fuse import raw_output
from tfhrf.deploy.c.ir import is_narrow, refuse
from tfhrf.deploy.c.literals import INT8, inner_scale, narrow_scale, wide_scale
from tfhrf.deploy.c.operators.compact import compact
from tfhrf.deploy.c.steps import Operand, Step, matrix_strides
from tfhrf.deploy.memory_plan import round_up


class Weights(NamedTuple):
    """A matrix of weights, one row for each output, with what belongs to it."""

    matrix: np.ndarray
    bias: np.ndarray
    scales: list[tuple[int, int]]
    struct: str
    arrangement: np.ndarray | None = None  # of the matrix, for a kernel that has its own
    joint: bool = True  # whether what is written are blocks of pairs of rows

    @property
    def wide(self):
        return self.struct == "tfhrf_wide_dense"


def check_weights(lowering, operator):
    """Raises ValueError where weights or bias are computed, or the weights have no kernel."""
    x, weights, *bias = operator.inputs
    for tensor in (weights, *bias):
        if tensor is not None and tensor.data is None:
            refuse(operator, "its weights are not constant", tensor)
    if weights.zero_point or weights.dtype != "int8" or x.dtype != lowering.precision.dtype:
        refuse(operator, "its weights are not symmetric int8", weights)


def arranged(lowering, operator, matrix, depthwise=False):
    """The Weights of an operator whose matrix has a row for each output."""
    x, weights, *rest = operator.inputs
    bias = rest[0] if rest else None
    scales = weight_scales(operator, len(matrix), x, weights, raw_output(operator))
    # Depthwise kernels take the zero point from each input.
    folded = folded_bias(bias, matrix, 0 if depthwise else x.zero_point)
    struct = f"tfhrf_dense{lowering.precision.suffix}"
    if lowering.precision is not INT8 and not fits_words(matrix, folded, scales):
        struct = "tfhrf_wide_dense"
    return Weights(matrix, folded, scales, struct)


def weight_scales(operator, channels, x, weights, y):
    """Quantized multipliers: one, or one for each channel."""
    if len(weights.scales) > 1:
        if len(weights.scales) != channels:
            refuse(operator, "its weights have another number of scales than channels", weights)
        reals = [x.scale * float(s) / y.scale for s in weights.scales]
    else:
        reals = [x.scale * weights.scale / y.scale]
    return [exact.quantize_multiplier(real) for real in reals]


def folded_bias(bias, weights, zero_point):
    """A bias that takes the input's zero point into account: int64."""
    plain = np.zeros(len(weights), np.int64) if bias is None else bias.data.astype(np.int64)
    return plain - zero_point * weights.astype(np.int64).sum(axis=1)


def fits_words(matrix, bias, scales):
    """Whether 32 bits hold all sums of 16-bit products, whatever the inputs, and scales shrink."""
    largest = np.abs(matrix.astype(np.int64)).sum(axis=1) * 32768 + np.abs(bias)
    return bool(largest.max() < 2**31) and all(is_narrow(*scale) for scale in scales)


def fits_joint(matrix, bias):
    """Whether pairs of weights fit 16 bits, and twice the sums 24 bits."""
    wide = matrix.astype(np.int64)
    second = wide[1::2]
    first = wide[::2][: len(second)]
    products = np.sort([wide * -128, wide * 127], axis=0)
    reach = np.abs(products.sum(axis=-1) + bias).max()
    return bool(reach < 2**22 and not ((first == -128) & (second < 0)).any())


def pair_rows(matrix):
    """Rows of int8 values in pairs, four of one and four of the other in turns: int8.

    Zeros fill rows up, and what vectors of sixteen read beyond the last.
    """
    rows, depth = matrix.shape
    blocks = round_up(depth, 4) // 4
    padded = np.zeros((round_up(rows, 2), 4 * blocks), np.int8)
    padded[:rows, :depth] = matrix
    paired = padded.reshape(-1, 2, blocks, 4).swapaxes(1, 2).ravel()
    return np.append(paired, np.zeros(8 * (round_up(blocks, 4) - blocks), np.int8))


def pairs(depth):
    """Pairs of scratch for two widened rows."""
    return round_up(depth, 8)


def rows_scratch(precision, depth, rows, patch=0):
    """Bytes of scratch for rows that are laid out, and a patch of so many values."""
    return 2 * rows * round_up(depth, 4 if precision is INT8 else 16) + precision.itemsize * patch


def arrangement_of(weights, depthwise=False):
    """A matrix as kernels read it; depthwise ones column by column."""
    if weights.arrangement is not None:
        return weights.arrangement
    return weights.matrix.T if depthwise else pair_rows(weights.matrix)


def dense_struct(write, lowering, operator, weights, depthwise=False):
    """Name of the struct of weights."""
    matrix, bias, scales, struct, *_ = weights
    placed, word, joint = arrangement_of(weights, depthwise), "int32_t", False
    if struct == "tfhrf_dense":
        if np.abs(bias).max() >= 2**31:
            refuse(operator, "its bias and zero point do not fit 32 bits", operator.inputs[1])
        scale = "tfhrf_scale"
        write.least_weights |= depthwise and bool(matrix.min() == -128)
        bias, literals = scales_of_sums(write, operator, weights)
        # Depthwise kernels take sums as they are, others TFHRF_TWICE.
        joint = not depthwise and weights.joint
        write.apart |= joint and not fits_joint(matrix, bias)
        bias = bias * (1 if depthwise or write.any_scale else 2)
    elif struct == "tfhrf_dense16":
        scale, literals = "tfhrf_narrow_scale", [narrow_scale(*one) for one in scales]
    else:
        placed, word = matrix, "int64_t"
        scale, literals = "tfhrf_wide_scale", [wide_scale(*one) for one in scales]
    if not (depthwise or weights.wide):
        bias = np.append(bias, np.zeros(len(bias) % 2, bias.dtype))
    body = [
        write.weights(placed) if joint else write.array("int8_t", placed, "weights"),
        write.array(word, bias, "bias"),
        write.structs(scale, literals),
        str(matrix.shape[1]),
        str(matrix.shape[0]),
        "1" if len(scales) > 1 else "0",
        lowering.precision.final(write, operator),
    ]
    return write.struct(struct, f"{{{', '.join(body)}}}")


def scales_of_sums(write, operator, weights):
    """(bias, initializers of tfhrf_scale) of 8-bit outputs.

    Channels that training left without use have huge biases, which inner loops cannot take. Where
    all sums that there can be make the same output, it takes the zero point's place.
    """
    matrix, bias, scales, *_ = weights
    y = raw_output(operator)
    reach = np.abs(matrix.astype(np.int64)).sum(axis=1) * 255
    largest = int((reach + np.abs(bias)).max())
    if len(scales) == 1 or largest < 2**30:
        return bias, [inner_scale(write, one, y.zero_point, largest) for one in scales]
    bias, literals = bias.copy(), []
    for channel, one in enumerate(scales):
        ends = bias[channel] + np.array([-1, 1]) * reach[channel]
        low, high = exact.saturate(exact.rescale(ends, *one) + y.zero_point, y.limits)
        if low == high and np.abs(ends).max() < 2**31:
            bias[channel], one = 0, (0, -1)
        bound = int(reach[channel] + np.abs(bias[channel]))
        literals.append(inner_scale(write, one, int(low) if one[0] == 0 else y.zero_point, bound))
    return bias, literals


def rows_at_once(four, write):
    """Rows of a kernel to be laid out together: four, where there are bytes enough for them."""
    return 4 if write.room >= four else 2


def lower_dense(lowering, operator):
    """FULLY_CONNECTED, and CONV_2D of one tap."""
    check_weights(lowering, operator)
    data = operator.inputs[1].data
    weights = arranged(lowering, operator, data.reshape(len(data), -1))
    outputs, depth = weights.matrix.shape
    source, stride = lowering.matrix(lowering.view(operator.inputs[0]), depth)
    target = lowering.allocate(operator.output).reshape(-1, outputs)
    out_stride, out_step = matrix_strides(operator, target)
    form = compact(lowering.precision, weights.matrix)
    if form is not None:
        weights = weights._replace(arrangement=form.arrangement, joint=form.kernel == "sparse")
    alone = lowering.precision is INT8 and len(target.address) == 1 and form is None

    def call(write, pointers, rows):
        name = dense_struct(write, lowering, operator, weights)
        if alone:
            return [f"tfhrf_dense_row({pointers[0]}, {pointers[1]}, {out_step}, &{name});"]
        place = f"{pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {out_step}, {rows}, &{name}"
        if form is not None:
            more = [write.array(ctype, values, form.kernel) for ctype, values in form.more]
            room = f"{write.scratch}, {rows_at_once(form.four, write)}"
            return [f"tfhrf_{form.kernel}_rows({place}, {', '.join(more)}, {room});"]
        scratch = "" if weights.wide else f", {write.scratch}, {rows_at_once(four, write)}"
        return [f"{weights.struct}_rows({place}{scratch});"]

    kernel = "wide16" if weights.wide else f"dense{lowering.precision.suffix}"
    kernel = "dense_row" if alone else kernel
    two, four = (rows_scratch(lowering.precision, depth, rows) for rows in (2, 4))
    scratch = (0, 0) if alone or weights.wide else (two, four)
    if form is not None:
        kernel, scratch = form.kernel, (form.two, form.four)
    lowering.steps.append(
        Step("dense", [Operand(source)], Operand(target), call, (kernel,), *scratch)
    )
