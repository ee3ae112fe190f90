import sys

from tests.docs.snippets import DOCS

sys.path.append(str(DOCS))  # for the directives, docs/extensions/
