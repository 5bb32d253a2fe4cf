"""Writes where the project is into what is released: setup.cfg, and the links of README.md.

    python .ci/write_urls.py https://HOST/OWNER/NAME COMMIT

The repository that releases knows its address, and the sources need not.
"""

import pathlib
import re
import sys


def main(url, commit):
    pages = {"Source": url}
    pages |= {"Changelog": f"{url}/blob/{commit}/CHANGELOG.md"}
    pages |= {"Documentation": f"{url}/blob/{commit}/docs/index.md"}
    lines = "".join(f"\n    {name} = {page}" for name, page in pages.items())
    rewrite("setup.cfg", r"^license = ", f"url = {url}\nproject_urls ={lines}\nlicense = ")
    rewrite("README.md", r"\]\((?!https?://|#)", f"]({url}/blob/{commit}/")


def rewrite(name, pattern, replacement):
    path = pathlib.Path(name)
    text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), flags=re.M)
    if not count:
        sys.exit(f"Error: {name} has nothing to replace. Received: {pattern}")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
