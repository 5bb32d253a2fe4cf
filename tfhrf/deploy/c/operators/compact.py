"""Weights that take less flash: numbers of few values, blocks without zeros.

Which of them a matrix allows is seen by its values, whatever made them so.
"""

from typing import NamedTuple

import numpy as np

from tfhrf.deploy.c.literals import INT8
from tfhrf.deploy.c.steps import Operand, Step
from tfhrf.deploy.c.views import Storage, View
from tfhrf.deploy.memory_plan import round_up

VALUES = 16  # that four bits tell apart
BLOCK = 4  # elements of a row
# Bytes that are worth a step of their own, and those that weights may be unpacked to.
LEAST_SAVED, MOST_UNPACKED = 128, 2048
# Blocks that may be left out in front of another: what a byte holds.
MOST_SKIPPED = 255


class Compact(NamedTuple):
    """Weights in another form.

    Attributes:
        kernel: name of the header, without "tfhrf_" and ".h", and of the function before "_rows".
        arrangement: int8 array that takes the place of the weights.
        more: arrays that the kernel takes besides, as (C type, values).
        bytes: of all of them.
        two, four: bytes of scratch where two or four rows are laid out.
    """

    kernel: str
    arrangement: np.ndarray
    more: list[tuple[str, np.ndarray]]
    bytes: int
    two: int
    four: int


def compact(precision, matrix):
    """The smallest form of a matrix (outputs, depth), or None if that is the plain one."""
    if precision is not INT8:
        return None
    found = [form for form in (clustered(matrix), sparse(matrix)) if form is not None]
    best = min(found, key=lambda form: form.bytes, default=None)
    # A few bytes are not worth the kernel's code.
    return best if best is not None and best.bytes + 512 < matrix.size else None


def scratch_of(matrix, pairs=0):
    """Bytes of two and of four rows that are laid out, behind a pair of rows of weights."""
    depth = round_up(matrix.shape[1], BLOCK)
    return [2 * rows * depth + max(4 * pairs, 2 * round_up(depth, 16)) for rows in (2, 4)]


def blocks_of(matrix):
    """A matrix as (pairs of rows, blocks, row of the pair, elements), filled up with zeros."""
    rows, depth = matrix.shape
    padded = np.zeros((round_up(rows, 2), round_up(depth, BLOCK)), np.int8)
    padded[:rows, :depth] = matrix
    return padded.reshape(len(padded) // 2, 2, -1, BLOCK).swapaxes(1, 2)


def table_of(weights):
    """Their values, filled up with zeros, or None if they are too many."""
    values = np.unique(weights)
    if len(values) > VALUES:
        return None
    return np.append(values, np.zeros(VALUES - len(values), np.int8)).astype(np.int8)


def numbers_of(weights, table):
    """The places of weights in a table as tfhrf_unpack.h reads them, of whole blocks of eight.

    Weights that are not in the table, zeros that fill rows up, become another of its values: they
    are multiplied by zero.
    """
    places = np.abs(weights.reshape(-1, 1).astype(int) - table).argmin(axis=1).astype(np.uint8)
    places = places.reshape(-1, 2, BLOCK)
    even, odd = (places[..., i] | places[..., i + 2] << 4 for i in (0, 1))
    return np.stack([even, odd], axis=1).astype(np.uint8).view(np.int8).ravel()


def unpacked(lowering, matrix, placed, frames):
    """Weights as numbers, with a step that unpacks them, where that pays.

    Args:
        lowering: Lowering to add the step to.
        matrix: weights, a row for each output.
        placed: the same as the kernel reads them.
        frames: whether that is tfhrf_depthwise_frames.h.

    Returns:
        (numbers as an int8 array, Operand that is to be read for weights), or None.
    """
    table = table_of(matrix) if lowering.precision is INT8 else None
    stored = (matrix.T if frames else placed).ravel()
    size, room = (round_up(array.size, 2 * BLOCK) for array in (stored, placed))
    if table is None or room > MOST_UNPACKED or size // 2 + VALUES + LEAST_SAVED > placed.size:
        return None
    numbers = numbers_of(np.append(stored, np.zeros(size - stored.size, np.int8)), table)
    target = View(Storage("arena", "int8", room), np.arange(room).reshape(1, -1))

    def call(write, pointers, rows):
        packed = write.array("int8_t", numbers, "weights")
        place = f"{packed}, {write.array('int8_t', table, 'values')}"
        if not frames:
            return [f"tfhrf_unpack({place}, {size // (2 * BLOCK)}, {pointers[0]});"]
        place += f", {matrix.shape[1]}, {len(matrix)}, (int8_t *)({write.scratch})"
        return [f"tfhrf_unpack_frames({place}, {pointers[0]});"]

    scratch = size if frames else 0
    lowering.steps.append(Step("unpack", [], Operand(target), call, ("unpack",), scratch))
    return numbers, Operand(target, False)


def clustered(matrix):
    """Numbers of four bits as tfhrf_clustered.h reads them, and a table."""
    table = table_of(matrix)
    if table is None:
        return None
    arrangement = numbers_of(blocks_of(matrix), table)
    size, scratch = arrangement.size + VALUES, scratch_of(matrix, VALUES**2)
    return Compact("clustered", arrangement, [("int8_t", table)], size, *scratch)


def sparse(matrix):
    """Blocks that are not zero as tfhrf_sparse.h reads them, and how many lie between them."""
    blocks = blocks_of(matrix)
    pairs, places = np.nonzero(blocks.any(axis=(2, 3)))
    counts = np.bincount(pairs, minlength=len(blocks))
    # From the end of the block before, or the beginning of the row.
    first = np.concatenate([[True], np.diff(pairs) != 0])[: len(pairs)]
    skipped = places - np.where(first, 0, np.roll(places, 1) + 1)
    if not len(pairs) or skipped.max() > MOST_SKIPPED or counts.max() > MOST_SKIPPED:
        return None
    arrangement = blocks[pairs, places].ravel()
    # A pair may have none.
    return Compact(
        "sparse",
        arrangement,
        [("uint8_t", skipped), ("uint8_t", counts)],
        arrangement.size + len(skipped) + len(counts),
        *scratch_of(matrix),
    )
