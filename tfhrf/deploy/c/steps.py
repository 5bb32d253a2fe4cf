"""Steps: calls of C kernels on views of storages.

A step computes its output row by row. Operands that it reads in the same rows are aligned; of
others it may read anything. Which rows those are, `schedule` finds out from the addresses.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from tfhrf.deploy.c.ir import refuse
from tfhrf.deploy.c.views import View, strides_of


@dataclasses.dataclass(eq=False)
class Operand:
    """What a step reads or writes: an address array whose first axis are the step's rows."""

    view: View
    aligned: bool = True

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

    Attributes:
        name: what it computes.
        reads: operands.
        write: operand.
        call: function of a writer, which makes constants, of C expressions for the operands
            (reads, then the write) and for the number of rows; returns lines of C. If `numbered`,
            a last argument is the C expression of the first row's index.
        kernels: names of the kernels' headers, without "tfhrf_" and ".h".
        scratch: bytes that the kernel needs besides.
        wish: bytes with which it is faster.
        numbered: whether the kernel must know which row of the output is the first.
        last: whether it runs when all others have run.
        can_fail: whether the one line of `call` is an expression that is not 0 after an error.
    """

    name: str
    reads: list[Operand]
    write: Operand
    call: Callable
    kernels: tuple[str, ...] = ()
    scratch: int = 0
    wish: int = 0
    numbered: bool = False
    can_fail: bool = False
    last: bool = False

    @property
    def rows(self):
        return len(self.write.view.address)


def matrix_strides(operator, target):
    """Strides of an output, which must have some."""
    strides = strides_of(target.address)
    if strides is None:
        refuse(operator, "its output does not lie in rows")
    return strides


def broadcast_rows(view, shape):
    """Addresses of a view for an output of a shape: (rows, columns)."""
    return View(view.storage, np.broadcast_to(view.address, shape).reshape(-1, shape[-1]))


def rows_first(view):
    """A view of shape (..., rows, columns) as an operand with its rows first."""
    return View(view.storage, np.moveaxis(view.address, -2, 0))


def add_rows(lowering, operator, name, last):
    """Adds the step of a kernel that makes one row of the output of each row of the input.

    Args:
        lowering: Lowering to add it to.
        operator: of one input, all rows of which are as long as the output's.
        name: of the kernel, without the precision's suffix.
        last: function of a writer; returns the kernel's last arguments.
    """
    columns = operator.inputs[0].shape[-1]
    source, stride = lowering.matrix(lowering.view(operator.inputs[0]), columns)
    target = lowering.allocate(operator.output).reshape(-1, columns)
    out_stride, out_step = matrix_strides(operator, target)
    if out_step != 1 and columns > 1:
        refuse(operator, "its output's rows are not dense")
    kernel = f"{name}{lowering.precision.suffix}"

    def call(write, pointers, rows):
        return [
            f"tfhrf_{kernel}_rows({pointers[0]}, {stride}, {pointers[1]}, {out_stride}, {rows}, "
            f"{last(write)});"
        ]

    lowering.steps.append(Step(name, [Operand(source)], Operand(target), call, (kernel,)))
