"""Buffers in one piece of memory: those that are not needed together may share a place."""


def place(buffers):
    """Places one buffer after the other in the lowest gap that is free while it is needed.

    Args:
        buffers: iterable of (size, first step, last step), in the order of placing.

    Returns:
        (list of offsets, size of the whole memory).
    """
    offsets = []
    placed: list[tuple[int, int, int, int]] = []
    for size, first, last in buffers:
        offset = 0
        for low, high, begin, end in sorted(placed):
            if begin <= last and first <= end:
                if offset + size <= low:
                    break
                offset = max(offset, high)
        offsets.append(offset)
        placed.append((offset, offset + size, first, last))
    return offsets, max((high for _, high, _, _ in placed), default=0)


def round_up(size, multiple):
    """The least multiple that is not below a size."""
    return -(-size // multiple) * multiple
