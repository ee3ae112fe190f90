"""How Sphinx builds the docs: ``make docs`` writes them to build/docs."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]  # for extensions/, and for housekeeping itself

project = "Housekeeping for Django"
html_title = project
extensions = ["myst_parser", "sphinx.ext.autodoc", "extensions"]
exclude_patterns = ["extensions"]
html_theme = "furo"
smartquotes = False  # tables of the reference quote code
html_show_sphinx = html_show_copyright = False
html_copy_source = False

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": False}
# -n reports each name that leads nowhere. These belong to Python, Django and REST framework, or are types
# that only signatures name.
nitpick_ignore_regex = [("py:.*", r"(?!housekeeping\.\w+$).*")]
