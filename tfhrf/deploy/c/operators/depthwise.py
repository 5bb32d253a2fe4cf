"""Which depthwise convolutions have kernels of their own, and the weights of those."""

import numpy as np

from tfhrf.deploy.c.literals import INT8
from tfhrf.deploy.c.operators.dense import folded_bias
from tfhrf.deploy.memory_plan import round_up

# Taps that tfhrf_depthwise_frames.h takes at most: TFHRF_FRAMES there.
LONGEST = 32
# Columns of a window that tfhrf_depthwise_lines.h takes at most: TFHRF_MOST_COLUMNS there.
WIDEST = 9
# Bytes that it lays a column of four channels out in.
COLUMN = 32


def takes_frames(lowering, operator):
    """Whether tfhrf_depthwise_frames.h has a DEPTHWISE_CONV_2D of one output for each channel."""
    tensor, options = operator.inputs[1], operator.options
    steps = [options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor]
    # One of both directions has one pixel and one tap.
    narrow = any(
        operator.inputs[0].shape[axis] == operator.output.shape[axis] == tensor.shape[axis] == 1
        for axis in (1, 2)
    )
    return (
        lowering.precision is INT8
        and narrow
        and 1 < max(tensor.shape[1:3]) <= LONGEST
        and tensor.shape[3] % 4 == 0
        and steps == [1, 1, 1, 1]
    )


def frame_weights(lowering, operator, weights):
    """Weights of a depthwise convolution, a row for each output, as tfhrf_depthwise_frames.h has
    them.
    """
    outputs, taps = weights.matrix.shape
    padded = np.zeros((outputs, round_up(taps + 3, 2)), np.int8)
    padded[:, 1 : taps + 1] = weights.matrix
    first = 2 * np.arange(taps // 2 + 1)[:, None] + 1
    matrix = padded[:, first + np.array([0, -1, 1, 0])]
    zero_point = operator.inputs[0].zero_point
    bias = folded_bias(None, weights.matrix, zero_point) + weights.bias
    return weights._replace(bias=bias, arrangement=matrix.swapaxes(0, 1))


def takes_lines(lowering, operator):
    """Whether tfhrf_depthwise_lines.h has a DEPTHWISE_CONV_2D of one output for each channel."""
    tensor, options = operator.inputs[1], operator.options
    dilation = (options.dilationHFactor, options.dilationWFactor)
    shape = tensor.shape[1:]
    return (
        lowering.precision is INT8
        and shape[0] == 3
        and shape[1] <= WIDEST
        and shape[2] % 4 == 0
        and dilation == (1, 1)
        and options.strideW < 3
    )


def columns_at_once(operator):
    """Columns that tfhrf_depthwise_lines.h lays out at a time, at least and at best; each takes
    COLUMN bytes.
    """
    taps, stride = operator.inputs[1].shape[2], operator.options.strideW
    width = (operator.output.shape[2] - 1) * stride + taps
    best = min(width, taps + 15)
    return best if taps == 3 else min(width, taps + stride), best
