"""Where the elements of tensors lie: reshapes, transposes and slices without moving a byte.

A view of a storage is an array of a tensor's shape that holds the address of each element, in
elements from the storage's beginning.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(eq=False)
class Storage:
    """Memory for elements of one type: part of the arena, an input, an output or a constant."""

    role: str
    dtype: str
    elements: int
    name: str = ""
    data: np.ndarray | None = None
    # Elements after the last that kernels may read, as they take four bytes at a time.
    beyond: int = 0

    @property
    def itemsize(self):
        return np.dtype(self.dtype).itemsize


@dataclasses.dataclass(eq=False)
class View:
    storage: Storage
    address: np.ndarray

    def reshape(self, *shape):
        return View(self.storage, self.address.reshape(*shape))


def strides_of(address):
    """Strides of an address array that is affine in its indices, or None."""
    strides = []
    first = int(address.flat[0])
    for axis, length in enumerate(address.shape):
        index = [0] * address.ndim
        index[axis] = min(1, length - 1)
        strides.append(int(address[tuple(index)]) - first)
    expected = np.full((), first)
    for axis, length in enumerate(address.shape):
        shape = [1] * address.ndim
        shape[axis] = length
        expected = expected + (np.arange(length) * strides[axis]).reshape(shape)
    return strides if np.array_equal(expected, address) else None


def nested_loops(*addresses):
    """Loops over flat address arrays of one size: [(count, stride of each array)], inner last.

    Returns None where no nest of loops with constant strides visits all elements in order.
    """
    arrays = [np.ravel(address) for address in addresses]
    loops: list[tuple[int, tuple[int, ...]]] = []
    while arrays[0].size > 1:
        steps = [np.diff(array) for array in arrays]
        changes = np.zeros(steps[0].size, bool)
        for step in steps:
            changes |= step != step[0]
        count = int(np.argmax(changes)) + 1 if changes.any() else arrays[0].size
        if arrays[0].size % count or count == 1:
            return None
        blocks = [array.reshape(-1, count) for array in arrays]
        strides = tuple(int(step[0]) for step in steps)
        inside = np.arange(count)
        for block, stride in zip(blocks, strides, strict=True):
            if not np.array_equal(block, block[:, :1] + inside * stride):
                return None
        loops.insert(0, (count, strides))
        arrays = [block[:, 0] for block in blocks]
    return loops
