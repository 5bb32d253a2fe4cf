"""Weights of FULLY_CONNECTED that take less flash: numbers of few values, blocks without zeros.

Which of them a matrix allows is seen by its values, whatever made them so.
"""

from typing import NamedTuple

import numpy as np

from tfhrf.deploy.c.literals import INT8
from tfhrf.deploy.memory_plan import round_up

VALUES = 16  # that four bits tell apart
BLOCK = 4  # elements of a row
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


def scratch_of(matrix):
    """Bytes of two rows that are laid out, behind a pair of rows of weights."""
    depth = round_up(matrix.shape[1], BLOCK)
    return 4 * depth + 2 * round_up(depth, 16)


def blocks_of(matrix):
    """A matrix as (pairs of rows, blocks, row of the pair, elements), filled up with zeros."""
    rows, depth = matrix.shape
    padded = np.zeros((round_up(rows, 2), round_up(depth, BLOCK)), np.int8)
    padded[:rows, :depth] = matrix
    return padded.reshape(len(padded) // 2, 2, -1, BLOCK).swapaxes(1, 2)


def clustered(matrix):
    """Numbers of four bits as tfhrf_clustered.h reads them, and a table."""
    table = np.unique(matrix)
    if len(table) > VALUES:
        return None
    # What fills rows up is multiplied by zero.
    numbers = np.searchsorted(table, blocks_of(matrix)).clip(0, len(table) - 1).astype(np.uint8)
    even, odd = (numbers[..., i] | numbers[..., i + 2] << 4 for i in (0, 1))
    arrangement = np.stack([even, odd], axis=2).astype(np.uint8).view(np.int8).ravel()
    table = np.append(table, np.zeros(VALUES - len(table), np.int8)).astype(np.int8)
    pairs, row = 4 * VALUES**2, 2 * round_up(matrix.shape[1], BLOCK)
    two, four = (max(pairs + rows * row, scratch_of(matrix)) for rows in (2, 4))
    size = arrangement.size + VALUES
    return Compact("clustered", arrangement, [("int8_t", table)], size, two, four)


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
        scratch_of(matrix),
        max(scratch_of(matrix), 4 * 2 * round_up(matrix.shape[1], BLOCK)),
    )
