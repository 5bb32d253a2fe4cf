"""The text of what keeps and resets a graph's state: NAME_state, NAME_reset."""

import numpy as np

from tfhrf.deploy.c_text import wrapped


def prototypes(name, states):
    """Lines of NAME.h; none where there is no state."""
    if not states:
        return []
    values = [
        f"    {held.initial.dtype}_t {held.name}[{held.initial.size}];"
        for held in sorted(states, key=lambda held: -held.initial.itemsize)
    ]
    return [
        "/* What is kept from one call to the next. */",
        "typedef struct {",
        *values,
        f"}} {name}_state;",
        "",
        f"/* Begins anew: with the state of {name}_invoke, or with yours before its first use. */",
        f"void {name}_reset(void);",
        f"void {name}_reset_in({name}_state *state);",
        "",
    ]


def functions(name, states):
    """Lines of NAME.c; none where there is no state."""
    if not states:
        return []
    constants: list[str] = []
    lines = [f"void {name}_reset_in({name}_state *state)", "{"]
    for held in states:
        first = held.initial.ravel()
        value, kind = f"state->{held.name}", f"{first.dtype}_t"
        if (first == first[0]).all():
            lines += [
                f"    for (int32_t i = 0; i < {first.size}; ++i) {{",
                f"        {value}[i] = {first[0]};",
                "    }",
            ]
            continue
        texts = wrapped([str(int(v)) for v in np.asarray(first)], 12)
        constants += [f"static const {kind} first_{held.name}[{first.size}] = {{", *texts, "};"]
        lines.append(f"    memcpy({value}, first_{held.name}, sizeof {value});")
    return [
        f"static {name}_state kept;",
        "static int started;",
        "",
        *constants,
        *lines,
        "}",
        "",
        f"void {name}_reset(void)",
        "{",
        f"    {name}_reset_in(&kept);",
        "    started = 1;",
        "}",
        "",
    ]
