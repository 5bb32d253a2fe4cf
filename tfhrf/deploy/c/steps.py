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


def matrix_strides(lowering, operator, target):
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
