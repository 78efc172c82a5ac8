"""The documentation site: `sphinx-build -W --keep-going docs DESTINATION`.

Sphinx, MyST and furo: every page stays plain Markdown that GitHub shows as well, a broken reference is an error,
links are checked by a builder of its own, and furo's pages are light, dark and readable without JavaScript.
"""

from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx

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


CONTENTS = Path(__file__).with_name("_contents.txt")


def setup(app: Sphinx) -> None:
    """Put the contents of the sidebar behind index.md.

    People read that page also where nobody hides directives.
    """

    def add_contents(_: Sphinx, name: str, source: list[str]) -> None:
        if name == "index":
            source[0] += CONTENTS.read_text(encoding="utf-8")

    app.connect("source-read", add_contents)
