"""Directives that write the reference from the code, so that no table can be out of date.

Each is a function from the directive's argument and content to lines of Markdown. A function that raises
ValueError makes the build fail with its text.
"""

import os
from collections.abc import Callable
from typing import Any

import django
from django.core.management import call_command
from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

Write = Callable[[str, list[str]], list[str]]


def setup(app: Sphinx) -> dict[str, Any]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "extensions.settings"
    django.setup()
    call_command("migrate", "housekeeping", verbosity=0)  # for the metrics, which a scrape reads
    # These need Django's apps to be loaded.
    from extensions import api, code, commands, links, recipes

    for write in (
        code.settings,
        code.environment,
        code.checks,
        code.metrics,
        commands.command,
        recipes.recipes,
        api.operations,
    ):
        app.add_directive(f"generated-{write.__name__}", directive(write))
    app.add_lexer("cron", TextLexer)
    app.connect("build-finished", links.check)
    return {"parallel_read_safe": False}


def directive(write: Write) -> type[SphinxDirective]:
    class Written(SphinxDirective):
        has_content = True
        optional_arguments = 1
        final_argument_whitespace = True

        def run(self) -> list[nodes.Node]:
            try:
                lines = write("".join(self.arguments), list(self.content))
            except ValueError as problem:
                raise self.error(str(problem)) from problem
            return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)

    return Written
