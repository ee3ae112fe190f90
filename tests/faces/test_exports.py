"""What pages, the API and commands tell of rows that are exported before they go."""

import csv
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from housekeeping.models import Export, Run
from housekeeping.reading import receipts
from tests.engine.exports.conftest import cold  # noqa: F401
from tests.visitors import text
from tests.zoo import tasks
from tests.zoo.models import Park

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(cold):  # noqa: F811
    Park.objects.create(opened_at=tasks.AS_OF - 2 * tasks.MONTH)
    return tasks.purge("exported")


def test_the_policy_tells_where_its_rows_are_written_to(run, dashboard, api):
    [then] = api.get("/api/admin/scheduler/policies/exported").json()["then"]

    assert then == {"end": "export", "columns": {}, "done": None, "storage": "cold", "format": "jsonl"}
    page = dashboard.get("/scheduler-admin/policies/exported").content.decode()
    assert "are exported to cold first (jsonl)" in page
    out = StringIO()
    call_command("housekeeping_policies", "list", stdout=out)
    assert "exported to cold first" in out.getvalue()


def test_the_run_tells_what_was_written(run, dashboard, api):
    written = api.get(f"/api/admin/scheduler/runs/{run.pk}").json()["receipt"]["exported"]["exports"]

    assert written.pop("bytes") > 100
    assert written == {"storage": "cold", "folders": 1, "rows": 1}
    page = dashboard.get(f"/scheduler-admin/runs/{run.pk}").content.decode()
    assert "1 row to cold (folders: 1, " in page
    assert "exported before: 1 rows to cold (folders: 1)" in shown(run)


def shown(run):
    out = StringIO()
    call_command("housekeeping_runs", "show", str(run.pk), stdout=out)
    return out.getvalue()


def test_the_page_of_a_run_lists_its_folders_and_their_files(run, dashboard):
    [made] = Export.objects.all()

    told = text(dashboard.get(f"/scheduler-admin/runs/{run.pk}"))
    assert (
        f"Exported to cold: {made.folder} 1 row 1 file, and its manifest.json zoo.Park.jsonl.gz 1 row, "
        in told
    )
    assert f"cold: {made.folder}  1 row\n" in shown(run)

    Run.objects.filter(pk=run.pk).delete()
    call_command("housekeeping_runs", "import", str(run.pk), stdout=StringIO())
    read = Run.objects.get(task="imports", undo_of=None)
    assert f"Read from cold: {made.folder} 1 row" in text(dashboard.get(f"/scheduler-admin/runs/{read.pk}"))


def test_the_page_of_an_import_tells_what_could_not_be_read(run, dashboard, cold):  # noqa: F811
    [made] = Export.objects.all()
    cold.delete(f"{made.folder}/zoo.Park.jsonl.gz")
    with pytest.raises(CommandError, match="Nothing was put back"):
        call_command("housekeeping_runs", "import", str(run.pk))

    read = Run.objects.get(task="imports")
    told = text(dashboard.get(f"/scheduler-admin/runs/{read.pk}"))
    assert (
        f"Read from cold: {made.folder} The storage 'cold' could not be read from (FileNotFoundError" in told
    )
    assert f"cold: {made.folder}  The storage 'cold' could not be read from" in shown(read)


def test_an_import_never_looks_like_a_deletion(run, dashboard, api):
    Run.objects.filter(pk=run.pk).delete()
    call_command("housekeeping_runs", "import", str(run.pk), stdout=StringIO())
    read = Run.objects.get(task="imports", undo_of=None)

    told = text(dashboard.get(f"/scheduler-admin/runs/{read.pk}"))
    assert "1 park read from exports in" in told
    assert "They have been restored since." in told
    assert "zoo.Park 1 read from exports SHA-256 of the rows" in told
    assert "delet" not in told.lower()
    [policy] = api.get(f"/api/admin/scheduler/runs/{read.pk}/receipt").json()["policies"]
    assert policy["then"] == "import"
    [line] = csv.DictReader(StringIO(receipts.as_csv(read)))
    assert (line["rows_deleted"], line["rows_read"], line["then"]) == ("0", "1", "import")
    assert "read from exports, not deleted: an undo puts them back" in shown(read)


def test_an_import_is_a_run_and_its_undo(run):
    Run.objects.filter(pk=run.pk).delete()
    out = StringIO()

    call_command("housekeeping_runs", "import", str(run.pk)[:8], "--json", stdout=out)

    undo, read = Run.objects.order_by("-requested_at")
    assert (read.task, read.result) == ("imports", {"read_exports": 1, "read_rows": 1})
    assert (undo.undo_of, undo.status) == (read, "succeeded")
    assert Park.objects.count() == 1
