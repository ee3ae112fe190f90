"""Steps of the cases: read rows, and run tasks with an operator's commands."""

import json
from io import StringIO

from django.core.management import call_command
from django.db import connection


def rows(*models):
    """The rows of each model's table, by key, exactly as the database stores them."""
    return {model._meta.label: _rows(model._meta) for model in models}


def _rows(table):
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table.db_table}"')
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row[table.pk.column]: row for row in found}


def preview(task):
    """Run the task dry. Returns its result."""
    return _answer("run_housekeeping", "--task", task, "--dry-run")["result"]


def purge(task):
    """Run the task, approved beforehand. Returns its result, and the id of the run."""
    answer = _answer("run_housekeeping", "--task", task, "--yes")
    return answer["result"], answer["run"]["id"]


def undo(run):
    """Undo a run. Returns how many rows of each table came back, and how many did not."""
    undoing = _answer("housekeeping_runs", "undo", run)
    result = _answer("housekeeping_runs", "carry-out", undoing["id"])["result"]
    return result["restored"], result["not_restored"]


def _answer(*words):
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())
