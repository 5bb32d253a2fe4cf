"""Lowers 16-bit layer normalization and means."""

import numpy as np

from tfhrf.deploy.c.ir import mean_scale, product_scale, refuse
from tfhrf.deploy.c.literals import scale_literal
from tfhrf.deploy.c.literals16 import scale16, wide_scale
from tfhrf.deploy.c.operators.elementwise16 import binary_body, root_scale, sum_body
from tfhrf.deploy.c.operators.normalization import reduced_view
from tfhrf.deploy.c.steps import Operand, matrix_strides


def lower_mean(lowering, operator):
    source, strides, counts, target = reduced_view(lowering, operator)
    columns = target.address.shape[1]
    out_stride, out_step = matrix_strides(lowering, operator, target)
    filled = ", ".join(map(str, [1] * (3 - len(counts)) + counts))
    steps = ", ".join(map(str, [0] * (3 - len(counts)) + strides[2:]))

    def call(write, pointers, rows):
        scale = scale_literal(mean_scale(operator, int(np.prod(counts))), 0)
        body = f"{{{columns}, {{{filled}}}, {{{steps}}}, {scale}}}"
        name = write.struct("tfhrf_reduce16", body)
        return [
            f"tfhrf_mean16_rows({pointers[0]}, {strides[0]}, {strides[1]}, {pointers[1]}, "
            f"{out_stride}, {out_step}, {rows}, &{name});"
        ]

    reads = [Operand(source, True)]
    lowering.add("mean", len(target.address), reads, Operand(target, True), call, 0, ("reduce16",))


def lower_layer_norm(lowering, operator):
    (x,) = operator.inputs
    extra = operator.extra
    columns = x.shape[-1]
    source, stride = lowering.matrix(lowering.view(x), columns)
    target = lowering.allocate(operator.output).reshape(-1, columns)
    out_stride, out_step = matrix_strides(lowering, operator, target)
    if out_step != 1:
        refuse(operator, "its output's rows are not dense")

    def call(write, pointers, rows):
        body = [
            str(columns),
            scale_literal(mean_scale(extra["mean"], columns), 0),
            sum_body(extra["subtract"], columns),
            wide_scale(*product_scale(extra["variance"])),
            str(extra["epsilon"]),
            binary_body(extra["add"], 1),
            root_scale(extra["root"]),
            scale16(*product_scale(extra["product"])),
        ]
        name = write.struct("tfhrf_layer_norm16", f"{{{', '.join(body)}}}")
        return [
            f"tfhrf_layer_norm16_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, "
            f"{rows}, &{name});"
        ]

    lowering.add(
        "layer_norm",
        len(source.address),
        [Operand(source, True)],
        Operand(target, True),
        call,
        kernels=("layer_norm16",),
    )
