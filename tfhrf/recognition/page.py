"""The web page of a trained model: what it says of a microphone or a file, and its card."""

import html
import os
import re
from typing import Any

from tfhrf.deploy.page import Costs, write_page
from tfhrf.recognition.packaged import DEFAULT, Pretrained, find

# Beside every answer, whatever the model.
CAUTION = (
    "Models of emotions learn from acted speech, which is not everyday speech: expect far less "
    "than a model's card says, often chance. What this one names is how a voice sounds to it, not "
    "what a person feels. Decide nothing about anyone by it, and let it hear only those who agree."
)
NO_CARD = (
    "## Of this model\n\nIt has no card: nothing is known of who spoke the recordings that it "
    "learned from, or of how well it does on speakers that it has not heard.\n"
)


def write_model_page(
    path: str | os.PathLike[str],
    model: str | os.PathLike[str] | Pretrained = DEFAULT,
    *,
    costs: Costs | None = None,
) -> dict[str, Any]:
    """Writes a web page that listens, with a trained model and its card in it.

    Needs clang and wasm-ld, of the Debian packages clang and lld.

    Args:
        path: of the page, one file of HTML. A file of this name is replaced.
        model: name of a packaged model, folder of a model such as `runs/STUDY/deployed`, or what
            `tfhrf.pretrained` returned.
        costs: what the C costs on a board, to be shown beside the answers.

    Returns:
        dict: what `tfhrf.deploy.page.write_page` reports.

    Raises:
        ModelError: there is no such model, or it is not complete.
        RuntimeError: clang or wasm-ld is missing.
        OSError: the page cannot be written.
    """
    chosen = model if isinstance(model, Pretrained) else find(model)
    report: dict[str, Any] = write_page(
        chosen.int8,
        chosen.config,
        path,
        name=chosen.name,
        labels=chosen.labels,
        summary=chosen.summary,
        caution=CAUTION,
        about=to_html(chosen.card or NO_CARD),
        costs=costs,
    )
    return report


def to_html(card: str) -> str:
    """The sections of a card as HTML: its headings, paragraphs and tables.

    Title and summary are left out: they stand at the top of the page.
    """
    head, *sections = re.split(r"^## ", card, flags=re.MULTILINE)
    _, _, facts = head.partition("\n\n|")
    if facts:
        sections.insert(0, f"The model\n\n|{facts}")
    return "\n".join(f"<section>\n{_section(section)}\n</section>" for section in sections)


def _section(text: str) -> str:
    heading, _, rest = text.partition("\n")
    blocks = re.split(r"\n\s*\n", rest.strip())
    return "\n".join([f"<h2>{_inline(heading)}</h2>", *map(_block, blocks)])


def _block(text: str) -> str:
    if not text.startswith("|"):
        return f"<p>{_inline(' '.join(text.split()))}</p>"
    head, _, *rows = [
        [_inline(cell.strip()) for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
    ]
    titles = "".join(f'<th scope="col">{cell}</th>' if cell else "<td></td>" for cell in head)
    lines = [_row(titles)] * any(head)
    for name, *cells in rows:
        values = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(_row(f'<th scope="row">{name}</th>{values}'))
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _row(cells: str) -> str:
    return f"<tr>{cells}</tr>"


def _inline(text: str) -> str:
    safe = html.escape(text, quote=False)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", safe))
