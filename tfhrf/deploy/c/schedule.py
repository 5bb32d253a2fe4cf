"""Which steps run together, some rows at a time, so that what lies between them stays small."""

import dataclasses

import numpy as np


@dataclasses.dataclass(eq=False)
class Group:
    """Steps that run one after the other for a few of `rows` rows, and then for the next few."""

    steps: list
    rows: int


def writers(steps, storage):
    return [step for step in steps if step.write.storage is storage]


def readers(steps, storage):
    return [step for step in steps if any(op.storage is storage for op in step.reads)]


def in_rows(operand, rows):
    """Whether each of `rows` rows of an operand lies in its own equal part of the storage."""
    lines = operand.rows
    elements = operand.storage.elements
    if not operand.aligned or len(lines) % rows or elements % rows:
        return False
    parts = lines.reshape(rows, -1) // (elements // rows)
    return bool((parts == np.arange(rows)[:, None]).all())


def ancestors(steps, targets):
    """The steps that the targets need, targets included, in order."""
    needed = set(map(id, targets))
    for place, step in reversed([*enumerate(steps)]):
        if id(step) in needed:
            # What is written later into another part of the storage may need this step.
            for operand in step.reads:
                needed.update(id(w) for w in writers(steps[:place], operand.storage))
    return [step for step in steps if id(step) in needed]


def groups_of(steps, cuts=frozenset()):
    """Groups in the order in which they run, none of which goes on after a step of `cuts`.

    What is read across rows must be complete: the steps that lead to it, and no others, come
    first, so that all else is computed as late as it can be.
    """
    result: list[Group] = []
    remaining = [step for step in steps if not step.last]
    while remaining:
        batch = remaining
        for place, step in enumerate(remaining):
            barriers = [
                writer
                for operand in step.reads
                if not operand.aligned
                for writer in writers(remaining[:place], operand.storage)
            ]
            if barriers:
                batch = ancestors(remaining, barriers)
                break
        for group in chain(batch):
            result += [piece for part in split(group, steps) for piece in pieces(part, cuts)]
        chosen = set(map(id, batch))
        remaining = [step for step in remaining if id(step) not in chosen]
    return result + [Group([step], step.rows) for step in steps if step.last]


def pieces(group, cuts):
    """A group cut after each step of `cuts`."""
    result = [Group([], group.rows)]
    for step in group.steps:
        result[-1].steps.append(step)
        if step in cuts and step is not group.steps[-1]:
            result.append(Group([], group.rows))
    return result


def chain(steps):
    """Cuts steps in order into groups whose steps touch one another in the same rows only."""
    result: list[Group] = []
    for step in steps:
        if result:
            group = result[-1]
            rows = min(group.rows, step.rows)
            fits = group.rows % rows == 0 and step.rows % rows == 0
            fits = fits and (rows > 1 or group.rows == step.rows)
            if fits and compatible([*group.steps, step], rows):
                group.steps.append(step)
                group.rows = rows
                continue
        result.append(Group([step], step.rows))
    return result


def compatible(steps, rows):
    for step in steps:
        storage = step.write.storage
        touching = readers(steps, storage)
        if not touching:
            continue
        operands = [w.write for w in writers(steps, storage)]
        operands += [op for other in touching for op in other.reads if op.storage is storage]
        if not all(in_rows(operand, rows) for operand in operands):
            return False
    return True


def split(group, steps):
    """Cuts a group after what must be kept in full anyway and is read in the group, too."""
    inside = set(map(id, group.steps))
    for step in group.steps:
        storage = step.write.storage
        touching = readers(steps, storage)
        within = [other for other in touching if id(other) in inside]
        if within and len(within) < len(touching):
            first = ancestors(group.steps, writers(group.steps, storage))
            if len(first) < len(group.steps):
                chosen = set(map(id, first))
                rest = [other for other in group.steps if id(other) not in chosen]
                return [
                    part
                    for half in (first, rest)
                    for piece in chain(half)
                    for part in split(piece, steps)
                ]
    return [group]


def recompute(steps, groups):
    """Steps in which a normalization runs again where a later group reads it, or None."""
    for group in groups:
        for step in group.steps:
            storage = step.write.storage
            if step.name != "layer_norm" or len(writers(steps, storage)) > 1:
                continue
            for other in groups:
                if other is group:
                    continue
                late = [s for s in other.steps if any(op.storage is storage for op in s.reads)]
                if late:
                    return substitute(steps, step, late)
    return None


def redirect(step, old, new):
    """A step that reads another storage with the same contents."""
    if all(operand.storage is not old for operand in step.reads):
        return step
    return dataclasses.replace(
        step,
        reads=[
            dataclasses.replace(operand, view=dataclasses.replace(operand.view, storage=new))
            if operand.storage is old
            else operand
            for operand in step.reads
        ],
    )


def substitute(steps, step, late):
    """The steps with a copy of one of them before those that read its output late."""
    old = step.write.storage
    new = dataclasses.replace(old)

    def moved(operand):
        if operand.storage is not old:
            return operand
        return dataclasses.replace(operand, view=dataclasses.replace(operand.view, storage=new))

    again = dataclasses.replace(step, write=moved(step.write))
    result = []
    done = False
    for other in steps:
        if any(other is one for one in late):
            if not done:
                result.append(again)
                done = True
            other = dataclasses.replace(other, reads=[moved(operand) for operand in other.reads])
        result.append(other)
    return result
