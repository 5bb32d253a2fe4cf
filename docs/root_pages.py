"""A hook of MkDocs: pages of the repository's root become pages of the site, with their links."""

import pathlib
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "overview.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
# What these pages link besides, as it is.
LINKED = ["LICENSE", "recipes/minimal.py"]


def on_files(files, config):
    """Adds the pages and what they link."""
    for name, page in PAGES.items():
        text = re.sub(r"\]\(docs/", "](", (ROOT / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    for name in LINKED:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))


def on_page_markdown(markdown, page, config, files):
    """Links to the pages' places in the repository lead to their places in the site."""
    for name, target in PAGES.items():
        markdown = re.sub(rf"\]\(((?:\.\./)*){name}", rf"](\1{target}", markdown)
    # In the repository the root is one folder up from docs/.
    if page.file.src_uri not in PAGES.values():
        for target in PAGES.values():
            markdown = markdown.replace(f"](../{target}", f"]({target}")
            markdown = markdown.replace(f"](../../{target}", f"](../{target}")
    return markdown
