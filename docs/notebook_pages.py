"""A hook of MkDocs: the notebooks of docs/ become pages of the site, code and outputs as text."""

import json
import re

from mkdocs.structure.files import File, Files


def on_files(files, config):
    """Puts a page in the place of each notebook."""
    found = Files([one for one in files if not one.src_uri.endswith(".ipynb")])
    for one in files:
        if one.src_uri.endswith(".ipynb"):
            page = one.src_uri.replace(".ipynb", ".md")
            found.append(File.generated(config, page, content=markdown(one.content_string)))
    return found


def on_page_markdown(markdown, page, config, files):
    """Links to notebooks lead to their pages."""
    return re.sub(r"(\]\((?:\.\./)*[\w/-]+)\.ipynb", r"\1.md", markdown)


def markdown(text):
    """The text of a notebook as Markdown."""
    blocks = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(source)
            continue
        blocks.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            said = output.get("text") or output.get("data", {}).get("text/plain") or ""
            if said:
                blocks.append(f"```text\n{''.join(said).rstrip()}\n```")
    return "\n\n".join(blocks) + "\n"
