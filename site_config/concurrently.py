"""Operations that create and drop indexes without locking a large PostgreSQL table.

A migration that uses them needs ``atomic = False``. On SQLite they do what Django's own operations do.
"""

from typing import Any

from django.contrib.postgres import operations as postgres
from django.db.migrations import operations as plain


class AddIndex(postgres.AddIndexConcurrently):
    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        own: Any = super() if schema_editor.connection.vendor == "postgresql" else _plainly(self)
        own.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        own: Any = super() if schema_editor.connection.vendor == "postgresql" else _plainly(self)
        own.database_backwards(app_label, schema_editor, from_state, to_state)


def _plainly(operation: postgres.AddIndexConcurrently) -> plain.AddIndex:
    return plain.AddIndex(operation.model_name, operation.index)
