"""The shape of the package: who may import whom, and how long things may get."""

import ast
import itertools
import re

import pytest
from places import ROOT

PACKAGE = ROOT / "tfhrf"
SERVICES = {"files", "progress", "quiet", "workers", "version"}
# What each wing may import, itself apart. Data go from the left to the right of this list.
MAY_IMPORT = {
    "log_mel": SERVICES,
    "endpoint": set(),
    "hrf": set(),
    "models": {"hrf", "log_mel"},
    "data": {"endpoint", "log_mel", *SERVICES},
    "deploy": {"hrf", "endpoint", "log_mel", *SERVICES},
    "compression": {"hrf", "deploy", *SERVICES},
    "recognition": {"hrf", "models", "data", "deploy", "endpoint", "log_mel", *SERVICES},
    "studies": {
        *("hrf", "models", "data", "deploy", "compression", "recognition", "endpoint", "log_mel"),
        *SERVICES,
    },
    "command": {
        *("models", "data", "deploy", "recognition", "studies", "endpoint", "log_mel"),
        *SERVICES,
    },
    "__main__": {"command"},
    **dict.fromkeys(SERVICES, SERVICES),
}
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FUNCTION, LONGEST_MODULE = 60, 350


def imported(tree):
    """The modules of tfhrf that a module imports, as lists of names after "tfhrf"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tfhrf":
            for alias in node.names:
                yield [*node.module.split("."), alias.name][1:]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("tfhrf."):
                    yield alias.name.split(".")[1:]


def code_lines(node):
    """Lines of a function that are no docstring, comment or blank."""
    body = node.body
    if ast.get_docstring(node) is not None:
        body = body[1:]
    return {
        line
        for statement in body
        for inner in ast.walk(statement)
        if hasattr(inner, "lineno")
        for line in (inner.lineno, inner.end_lineno)
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_the_way_of_the_data(path):
    wing = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if wing == "__init__":
        return
    for names in imported(ast.parse(path.read_text())):
        assert names[0] == wing or names[0] in MAY_IMPORT[wing], ".".join(["tfhrf", *names])


def page():
    return (ROOT / "docs" / "architecture.md").read_text()


def test_the_table_of_the_page_is_this_law():
    _, section = page().split("## The import law\n")
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| ")][1:]
    found = {
        name: {*re.findall(r"`(\w+)`", imports), *(SERVICES if "services" in imports else ())}
        for names, imports in itertools.takewhile(lambda row: "`" in row[0], rows)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert found == MAY_IMPORT


def test_the_arrows_of_the_page_lead_where_the_law_does():
    lines = page().split("```mermaid\n")[1].split("```")[0].splitlines()
    modules, arrows = {}, {}
    for line in map(str.strip, lines):
        if "<b>" in line:
            node, title = line.split('["<b>')
            modules[node] = title.split("</b>")[0].split(", ")
            arrows[node] = set()
        elif "-->" in line:
            node, ends = line.split(" --> ")
            arrows[node] |= {*ends.split(" & ")}
    node_of = {module: node for node, some in modules.items() for module in some}
    law = {
        (node_of[module], node_of[other])
        for module in MAY_IMPORT.keys() - {"__main__"}
        for other in MAY_IMPORT[module]
        if node_of[module] != node_of[other]
    }
    assert {(start, end) for start in arrows for end in arrows[start]} <= law
    behind = {node: {*ends} for node, ends in arrows.items()}
    for _ in behind:
        for ends in behind.values():
            ends |= {end for one in ends for end in behind[one]}
    assert law <= {(start, end) for start in behind for end in behind[start]}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert len(code_lines(node)) <= LONGEST_FUNCTION, node.name


def test_the_package_has_no_circle():
    graph = {}
    for path in MODULES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = [
            ".".join(["tfhrf", *names]) for names in imported(ast.parse(path.read_text()))
        ]
    known = set(graph)
    # `from a.b import c` names the module a.b.c, or something in the module a.b.
    edges = {
        name: {t if t in known else t.rpartition(".")[0] for t in targets} & known - {name}
        for name, targets in graph.items()
        if name != "tfhrf"
    }
    while edges:
        free = [name for name, targets in edges.items() if not targets & edges.keys()]
        assert free, f"circle among {sorted(edges)}"
        for name in free:
            del edges[name]
