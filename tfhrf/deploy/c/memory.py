"""The arena: where each storage lies while it is needed."""

import collections
import dataclasses

import numpy as np

from tfhrf.deploy import memory_plan
from tfhrf.deploy.c.schedule import groups_of, in_rows, readers, recompute, redirect, writers

# Rows of a group that are computed at once: kernels take them in pairs, some of them in fours.
ROWS = 2
MORE = 4
ALIGNMENT = 4
# Kernels that read an element before they write the one in its place.
ELEMENTWISE = {"add", "sub", "mul", "table", "squared_difference", "layer_norm"}
# Those that lay some rows of their first operand out before they write these rows.
BY_ROWS = {("dense",), ("dense16",), ("attention",), ("attention16",)}


@dataclasses.dataclass(eq=False)
class Plan:
    """Groups, bytes of memory, offsets in bytes, and row strides of short buffers.

    `looped` has the number of rows at once of each group that is a loop, by its id. `scratch` has
    for each step (offset, bytes) of the largest part of the memory that nothing else needs then.
    """

    groups: list
    arena: int
    scratch: dict
    offsets: dict
    buffers: dict
    looped: dict


def plan(steps):
    """The plan in which kernels write where they read if that saves memory or widens loops.

    On an M55 these kernels must copy then.
    """
    apart, inside = (smallest(steps, kernels) for kernels in ((), BY_ROWS))
    better = inside.arena < apart.arena or rows_in_loops(inside) > rows_in_loops(apart)
    return inside if better and inside.arena <= apart.arena else apart


def smallest(steps, by_rows):
    """The plan with the smaller arena: with or without computing normalizations again."""
    best = arrange(steps, by_rows=by_rows)
    current = best
    # Each normalization is computed again once at most.
    for _ in range(sum(step.name == "layer_norm" for step in steps)):
        again = recompute(steps, current.groups)
        if again is None:
            break
        steps = again
        current = arrange(steps, by_rows=by_rows)
        if current.arena < best.arena:
            best = current
    merged = merge(best, by_rows)
    if merged is not None and merged.arena <= best.arena:
        best = merged
    return cut(widen(best, frozenset(), by_rows), by_rows)


def widen(planned, cuts, by_rows):
    """The plan in which each loop that can computes MORE rows at once.

    It may take what short buffers that lie in place of others save, and no more.
    """
    steps = [step for group in planned.groups for step in group.steps]
    most = max(planned.arena, arrange(steps, cuts=cuts).arena)
    loops = [group for group in planned.groups if id(group) in planned.looped]
    wide: set = set()
    for group in loops:
        if group.rows >= MORE:
            wider = arrange(steps, wide | {group.steps[0]}, cuts, by_rows)
            if wider.arena <= most:
                planned, wide = wider, wide | {group.steps[0]}
    return planned


def cut(planned, by_rows):
    """The plan in which loops are cut after an ADD where a part then computes MORE rows at once.

    What is added goes to where the residual stream lies: the rest needs less of the memory.
    """
    steps = [step for group in planned.groups for step in group.steps]
    narrow = [g for g in planned.groups if planned.looped.get(id(g)) == ROWS and g.rows >= MORE]
    cuts: frozenset = frozenset()
    for group in narrow:
        for step in group.steps[:-1]:
            if step.name == "add":
                parts = arrange(steps, cuts=cuts | {step}, by_rows=by_rows)
                more = widen(parts, cuts | {step}, by_rows)
                if more.arena <= planned.arena and rows_in_loops(more) > rows_in_loops(planned):
                    planned, cuts = more, cuts | {step}
    return planned


def rows_in_loops(planned):
    """The rows at once of all steps in loops."""
    return sum(planned.looped.get(id(group), 0) * len(group.steps) for group in planned.groups)


def merge(planned, by_rows):
    """A plan in which no group computes the same normalization twice, or None."""
    steps = [step for group in planned.groups for step in group.steps]
    found = False
    for group in planned.groups:
        norms: dict = {}
        for step in group.steps:
            if step.name != "layer_norm":
                continue
            first = norms.setdefault(id(step.reads[0].view), step)
            if first is not step:
                found = True
                steps = [
                    redirect(other, step.write.storage, first.write.storage)
                    for other in steps
                    if other is not step
                ]
    return arrange(steps, by_rows=by_rows) if found else None


def arrange(steps, wide=frozenset(), cuts=frozenset(), by_rows=()):
    """A Plan; loops that begin with a step of `wide` compute MORE rows at once.

    They end after a step of `cuts`. Kernels of `by_rows` may write where they read.
    """
    groups = []
    buffers: dict = {}
    looped = {}
    heights = {}
    for group in groups_of(steps, cuts):
        short = buffered(group, steps)
        if short and group.rows > 1:
            buffers.update({storage: storage.elements // group.rows for storage in short})
            looped[id(group)] = MORE if group.steps[0] in wide else ROWS
            heights.update(dict.fromkeys(short, looped[id(group)]))
            groups.append(group)
        else:
            groups += [dataclasses.replace(group, steps=[s], rows=s.rows) for s in group.steps]
    times = lifetimes(groups, looped, buffers)
    same = in_place(groups, looped, buffers, times, by_rows)
    arena, offsets, taken = place(times, buffers, same, heights)
    inside = [step for group in groups for step in group.steps]
    largest = max((step.scratch for step in inside), default=0)
    most = arena + memory_plan.round_up(largest, ALIGNMENT)
    for clock, step in enumerate(inside):
        end = max((high for _, high in taken[clock]), default=0)
        for size in (step.scratch, step.wish):
            size = memory_plan.round_up(size, ALIGNMENT)
            if size > largest_gap(taken[clock], arena)[1] and end + size <= most:
                arena = max(arena, end + size)
    scratch = {step: largest_gap(taken[clock], arena) for clock, step in enumerate(inside)}
    return Plan(groups, arena, scratch, offsets, buffers, looped)


def largest_gap(taken, end):
    """(offset, bytes) of the largest gap between sorted parts (begin, end) of the memory."""
    free, gaps = 0, []
    for low, high in sorted(taken):
        gaps.append((low - free, -free))
        free = max(free, high)
    gaps.append((end - free, -free))
    size, start = max(gaps)
    return -start, max(0, size)


def buffered(group, steps):
    """Storages that only this group touches: a few rows of them suffice."""
    inside = set(map(id, group.steps))
    found = []
    for step in group.steps:
        storage = step.write.storage
        if storage.role != "arena" or storage in found:
            continue
        touching = [*writers(steps, storage), *readers(steps, storage)]
        if not all(id(other) in inside for other in touching) or not readers(steps, storage):
            continue
        operands = [s.write for s in group.steps if s.write.storage is storage]
        operands += [op for s in group.steps for op in s.reads if op.storage is storage]
        if all(in_rows(operand, group.rows) for operand in operands):
            found.append(storage)
    return found


def lifetimes(groups, looped, buffers):
    """{storage: (first, last) step that needs it}; in a loop, storages in full need all of it."""
    times: dict = {}
    clock = 0
    for group in groups:
        begin, end = clock, clock + len(group.steps) - 1
        for step in group.steps:
            for operand in (*step.reads, step.write):
                storage = operand.storage
                if storage.role != "arena":
                    continue
                whole = id(group) in looped and storage not in buffers
                first, last = (begin, end) if whole else (clock, clock)
                old = times.get(storage, (first, last))
                times[storage] = (min(old[0], first), max(old[1], last))
            clock += 1
    return times


def in_place(groups, looped, buffers, times, by_rows):
    """{storage: storage it takes the place of}, where rows are read before they are replaced."""
    same: dict = {}
    clock = 0
    for group in groups:
        begin, end = clock, clock + len(group.steps) - 1
        clock = end + 1
        for i, step in enumerate(group.steps):
            if step.kernels in by_rows:
                old = step.reads[0].storage
                if old in buffers and times[old][1] == begin + i and fits_rows(step, buffers):
                    same[step.write.storage] = old
        for new in dict.fromkeys(step.write.storage for step in group.steps):
            if new in buffers or times.get(new, (-1,))[0] != begin:
                continue
            for old in dict.fromkeys(op.storage for s in group.steps for op in s.reads):
                if old.role != "arena" or old in buffers or times[old][1] != end:
                    continue
                if (
                    old in same.values()
                    or old.elements * old.itemsize != new.elements * new.itemsize
                ):
                    continue
                if replaceable(group, old, new, id(group) in looped):
                    same[new] = old
                    break
    return same


def fits_rows(step, buffers):
    """Whether a step of a loop may write its short buffer where the one lies that it reads."""
    first, *others = step.reads
    old, new = first.storage, step.write.storage
    if new not in buffers or buffers[new] != buffers[old] or old.itemsize != new.itemsize:
        return False
    if any(operand.storage is old for operand in others):
        return False
    # Heads follow one another: each must have its own columns.
    return "attention" not in step.name or np.array_equal(first.rows, step.write.rows)


def replaceable(group, old, new, loop):
    rows = group.rows
    reads = [(i, op) for i, s in enumerate(group.steps) for op in s.reads if op.storage is old]
    writes = [(i, s) for i, s in enumerate(group.steps) if s.write.storage is new]
    if loop and not all(
        in_rows(op, rows) for op in [*(op for _, op in reads), *(s.write for _, s in writes)]
    ):
        return False
    first = min(i for i, _ in writes)
    for i, operand in reads:
        if i < first and loop:
            continue
        step = group.steps[i]
        if i != first or len(writes) > 1 or step.name not in ELEMENTWISE:
            return False
        if operand.view.address.shape != step.write.view.address.shape:
            return False
        if (operand.view.address != step.write.view.address).any():
            return False
    return True


def place(times, buffers, same, at_once):
    """(bytes of arena, {storage: offset}, {clock: parts of the memory that are needed then}).

    The largest comes first, each in the lowest gap.
    """
    roots: dict = {}
    for storage in times:
        root = storage
        while root in same:
            root = same[root]
        roots.setdefault(root, []).append(storage)
    items = []
    for members in roots.values():
        size = max(size_of(member, buffers, at_once) for member in members)
        begin = min(times[member][0] for member in members)
        end = max(times[member][1] for member in members)
        items.append((size, begin, end, members))
    items.sort(key=lambda item: (-item[0], item[1]))
    places, arena = memory_plan.place(item[:3] for item in items)
    offsets = {
        member: offset
        for offset, (*_, members) in zip(places, items, strict=True)
        for member in members
    }
    taken = collections.defaultdict(list)
    for offset, (size, begin, end, _) in zip(places, items, strict=True):
        for clock in range(begin, end + 1):
            taken[clock].append((offset, offset + size))
    return arena, offsets, taken


def size_of(storage, buffers, at_once):
    elements = storage.elements + storage.beyond
    if storage in buffers:
        elements = buffers[storage] * at_once[storage]
    return memory_plan.round_up(elements * storage.itemsize, ALIGNMENT)
