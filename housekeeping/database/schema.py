"""Does the database have the tables that this version of the code expects?"""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def has_unapplied_migrations() -> bool:
    """Raises DatabaseError if the database can't be reached."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
