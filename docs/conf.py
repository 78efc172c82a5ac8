"""The documentation site: `sphinx-build -W --keep-going docs DESTINATION`.

Sphinx, MyST and furo: every page stays plain Markdown that GitHub shows as well, a broken reference is an error,
links are checked by a builder of its own, and furo's pages are light, dark and readable without JavaScript.
"""

import os
import re
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent

project = "faultinject"
author = "the authors of faultinject"
version = release = version_of("faultinject")

extensions = ["myst_parser", "sphinx_copybutton"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "fieldlist"]
nitpicky = True
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "faultinject"
html_static_path = ["_static"]
html_css_files = ["wide-tables.css"]
html_favicon = "_static/favicon.svg"
html_show_copyright = False
copybutton_exclude = ".linenos, .gp, .go"

linkcheck_anchors_ignore_for_url = ["https://github.com/"]


CONTENTS = DOCS / "_contents.txt"
LINK_ONLY = re.compile(r"\[[^]]*\]\((\S+)\)\n")
"""The site shows the linked file in place of such a page."""


def shown_files() -> dict[Path, Path]:
    """The path of each such file, with the page that shows it."""
    pages = {}
    for path in DOCS.glob("*/*.md"):
        link = LINK_ONLY.fullmatch(path.read_text(encoding="utf-8"))
        if link:
            pages[path.parent.joinpath(link[1]).resolve()] = path
    return pages


def setup(app: Sphinx) -> None:
    """Make the pages of a site from pages that are read in the repository as well.

    There nobody carries out a directive.
    """
    pages = shown_files()

    def make(_: Sphinx, name: str, source: list[str]) -> None:
        folder = (DOCS / name).parent

        def lead_to_page(link: re.Match[str]) -> str:
            page = pages.get((folder / link[1]).resolve())
            return f"]({os.path.relpath(page, folder) if page else link[1]}"

        whole_file = LINK_ONLY.fullmatch(source[0])
        if whole_file:
            source[0] = f"```{{include}} {whole_file[1]}\n:relative-docs: ..\n:relative-images:\n```\n"
        else:
            source[0] = re.sub(r"\]\(([^)#]+)", lead_to_page, source[0])
        if name == "index":
            source[0] += CONTENTS.read_text(encoding="utf-8")

    app.connect("source-read", make)
