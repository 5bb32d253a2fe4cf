"""Pages that one looks at: a file of HTML each, with everything in it, and no script."""

import base64
import pathlib
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import jinja2

from tfhrf.files import write_text

TEMPLATE = "page.html"


class Table(NamedTuple):
    """A table of a page.

    Attributes:
        head: texts of the first row.
        rows: lists of texts.
    """

    head: list
    rows: list


class Section(NamedTuple):
    """A section of a page.

    Attributes:
        title: its heading.
        words: a paragraph; may be empty.
        pictures: list of (data URL, what it shows in words).
        tables: list of Table.
        commands: what one types in a shell, list of texts.
    """

    title: str
    words: str = ""
    pictures: Sequence = ()
    tables: Sequence = ()
    commands: Sequence = ()


def picture(draw, *arguments, shows):
    """A picture of a page.

    Args:
        draw: function of `tfhrf.studies.pictures`, which takes a path first.
        arguments: its others.
        shows: the same in words.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "picture.svg")
        draw(path, *arguments)
        content = base64.b64encode(path.read_bytes()).decode()
    return f"data:image/svg+xml;base64,{content}", shows


def write(path, title, summary, sections):
    """Writes a page.

    Args:
        path: of the file.
        title, summary: texts.
        sections: list of Section; None among them are left out.
    """
    loader = jinja2.FileSystemLoader(pathlib.Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    shown = [section for section in sections if section is not None]
    text = environment.get_template(TEMPLATE).render(title=title, summary=summary, sections=shown)
    write_text(path, text + "\n")
