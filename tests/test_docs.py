"""The pages: every public name has an entry, and what they name, link and show is there."""

import ast
import functools
import importlib
import pathlib
import re

import numpy as np
import pytest
from places import ROOT

from tfhrf.data.corpora import CORPORA

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
per_page = pytest.mark.parametrize(
    "page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES]
)


@functools.cache
def names_in(module):
    """What a module defines or imports."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
            aliases = getattr(node, "names", [node])
            names |= {getattr(one, "asname", None) or one.name for one in aliases}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def exists(dotted):
    """Whether a dotted name leads to a module, or to a name in one; nothing is imported."""
    place = ROOT
    for part in dotted.split("."):
        if (place / part).is_dir():
            place = place / part
        elif (place / f"{part}.py").is_file():
            place = place / f"{part}.py"
        else:
            return part in names_in(place / "__init__.py" if place.is_dir() else place)
    return True


PUBLIC = ["tfhrf", "tfhrf.models", "tfhrf.data.corpora"]
PUBLIC += ["tfhrf.deploy.frontend", "tfhrf.deploy.page", "tfhrf.deploy.project"]


def test_every_public_name_has_an_entry():
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    entries = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    for package in PUBLIC:
        names = importlib.import_module(package).__all__
        assert {f"{package}.{name}" for name in names} <= set(entries)
    assert len(entries) == len(set(entries))


def test_the_table_of_corpora_is_that_of_the_code():
    rows = [line.split("|") for line in (ROOT / "docs" / "corpora.md").read_text().splitlines()]
    found = {
        row[1].strip(" `"): (int(row[2]), re.findall(r"`(\w+)`", row[3]))
        for row in rows
        if len(row) > 3 and row[1].strip(" `") in CORPORA
    }
    assert found == {name: (len(one.classes), [*one.protocols]) for name, one in CORPORA.items()}


@per_page
def test_what_is_named_exists(page):
    text = page.read_text()
    dotted = set(re.findall(r"(?<![\w./-])tfhrf(?:\.\w+)+", text))
    paths = set(re.findall(r"(?<![\w./-])(?:docs|recipes|tests|tfhrf|tflm)/[\w./-]*\w", text))
    assert [name for name in dotted if "NAME" not in name and not exists(name)] == []
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


@per_page
def test_links_lead_somewhere_in_the_repository(page):
    targets = re.findall(r"\]\((?!https?://)([^)#\s]+)", page.read_text())
    assert [one for one in targets if not (page.parent / one).exists()] == []


def test_the_code_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    rng = np.random.default_rng(0)
    names = {
        "windows": rng.standard_normal((8, 75, 48)).astype("float32"),
        "labels": rng.integers(0, 4, 8),
    }
    exec(code, names)
    assert {path.name for path in pathlib.Path("firmware").iterdir()} == {*names["report"]["files"]}
