"""What pruning and clustering made of a kernel, and what later training must keep of it."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Structure:
    """Which elements of a kernel are equal.

    Attributes:
        group: number of the group of each element, int32 array of the kernel's shape; elements of a
            group are equal, those of group 0 are zero. None: each element but zeros is for itself.
        mask: 0 where an element is zero and 1 elsewhere, float32 of the kernel's shape.
    """

    group: np.ndarray | None
    mask: np.ndarray

    def keep(self, kernel: Any) -> Any:
        """The kernel with the mean of each group in its place, and zeros."""
        if self.group is None:
            return kernel * self.mask
        flat, groups = tf.reshape(kernel, [-1]), self.group.ravel()
        means = tf.math.unsorted_segment_mean(flat, groups, int(groups.max()) + 1)
        return tf.reshape(tf.gather(means, groups), kernel.shape) * self.mask


def of_pruned(kernel: np.ndarray) -> Structure:
    """The structure of a kernel with zeros."""
    return Structure(None, (kernel != 0).astype(np.float32))


def of_clustered(kernel: np.ndarray) -> Structure:
    """The structure of a kernel of few values."""
    values = np.unique(np.append(kernel, np.float32(0)))
    # Zero first.
    order = np.argsort(values != 0, kind="stable")
    places = np.empty(len(values), np.int32)
    places[order] = np.arange(len(values))
    group = places[np.searchsorted(values, kernel)].astype(np.int32)
    return Structure(group, (kernel != 0).astype(np.float32))
