"""A task may return what it likes, and no stored row of any shape breaks a page."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import JSONField, Value

from housekeeping.declared.steps import run_steps
from housekeeping.models import Act, Gauge, Run
from housekeeping.reading import gauges
from housekeeping.runs.work import execution
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)

SHAPES = [
    None,
    True,
    0,
    -1.5,
    10**400,
    "",
    "text \udcff <b>",
    [],
    [1, "two", None, [{}]],
    {},
    {"": None, "items": 1, "restored": 2},
    {"conversations": None},
    {"conversations": "text"},
    {"conversations": 10**400, "restored": {"chat.Conversation": "many"}},
    {"conversations": [1], "items": {"rows": {"items": 1}, "tables": {"items": 1}}},
    {"conversations": {}},
    {"conversations": {"rows": 5, "tables": [], "sample": "x", "held_back": None, "cutoff": 1}},
    {"conversations": {"rows": {"a": "b"}, "tables": {"a": {}}, "sample": [1, {}], "oldest": "soon"}},
    {"conversations": {"rows": [], "retention_days": "many", "cutoff": "2026-01-01", "left": {}}},
    {"conversations": {"planned": "x", "usual": [], "sample": [{"key": [], "age_from": 1, "text": {}}]}},
]  # fmt: skip
STATES = [
    {"status": "succeeded"},
    {"status": "succeeded", "dry_run": True},
    {"status": "running", "attempts": 1},
    {"status": "held", "task": "messages"},
]


def stored(shape):
    """Runs in every state whose JSON columns all hold ``shape``."""
    columns = dict.fromkeys(("result", "plan", "receipt", "deleted", "cutoffs"), shape)
    # A column that may not be null holds the JSON value.
    columns |= {name: Value(None, JSONField()) for name in columns if shape is None and name != "result"}
    started = {"started_at": make.ago(minutes=5), "as_of": make.ago(minutes=5)}
    made = [make.run(**{**columns, **started, **state}) for state in STATES]
    undos = {"task": "users", "undo_of": made[0], "undo_state": shape} | columns | started
    return made + [make.run(**undos, status=one) for one in ("succeeded", "running")]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: repr(shape)[:60])
def test_a_row_of_any_shape_is_shown_by_every_face(dashboard, api, shape):
    if connection.vendor == "postgresql" and "\udcff" in str(shape):
        pytest.skip("PostgreSQL stores no half of a surrogate pair")
    addresses = ["/scheduler-admin", "/scheduler-admin/runs", "/scheduler-admin/trends"]
    in_json = ["runs", "overview", "tallies"]
    for run in stored(shape):
        page = f"/scheduler-admin/runs/{run.pk}"
        addresses += [page, f"{page}/receipt.json", f"{page}/receipt.csv"]
        in_json.append(f"runs/{run.pk}")
        call_command("housekeeping_runs", "show", str(run.pk), stdout=StringIO())

    assert {address: dashboard.get(address).status_code for address in addresses} == dict.fromkeys(
        addresses, 200
    )
    for address in in_json:
        assert api.get(f"/api/admin/scheduler/{address}").status_code == 200, address
    call_command("housekeeping_runs", "list", stdout=StringIO())
    call_command("scheduler_info", stdout=StringIO())


ODD = [None, True, 5, "x", [1, None], {}, {"rows": None, "tables": {}}, {"before": 1, "after": [2]}]


@pytest.mark.parametrize("shape", ODD, ids=repr)
def test_a_gauge_or_an_act_of_any_shape_breaks_no_page(dashboard, api, shape):
    value = Value(None, JSONField()) if shape is None else shape
    for name in gauges.measures():
        gauges.measure(name)
    Gauge.objects.update(value=value, took_ms=500)
    Act.objects.create(done_at=make.ago(minutes=1), who="ada", what="pause", target="x", details=value)

    pages = ["/scheduler-admin", "/scheduler-admin/history", "/scheduler-admin/policies/conversations"]
    pages += ["/scheduler-admin/tables"]
    answers = [dashboard.get(address).status_code for address in [*pages, "/metrics"]]
    answers += [
        api.get(f"/api/admin/scheduler/{name}").status_code for name in ("overview", "policies", "tables")
    ]
    call_command("housekeeping_policies", stdout=StringIO())

    assert answers == [200] * 8


@pytest.mark.parametrize(
    ("returned", "kept"),
    [
        (None, None),
        (7, {"result": 7}),
        ("done", {"result": "done"}),
        ([1, 2], {"result": [1, 2]}),
        ((1, 2), {"result": [1, 2]}),
        ({"rows": 3}, {"rows": 3}),
        ("a NUL \0 and a half \udcff", {"result": "a NUL \N{REPLACEMENT CHARACTER} and a half \\udcff"}),
    ],
)
def test_a_task_returns_what_it_likes_and_every_face_goes_on(dashboard, api, declare, returned, kept):
    @declare
    def tidy_up(purge):
        return returned

    answer = api.post("/api/admin/scheduler/trigger", {"task": "tidy_up", "wait": 0}, format="json")
    run = execution.execute(execution.claim(Run.objects.get().pk, 0))

    assert answer.status_code == 202
    assert (run.status, run.result) == ("succeeded", kept)
    assert api.get(f"/api/admin/scheduler/results/{run.pk}").json()["result"] == kept
    assert dashboard.get(f"/scheduler-admin/runs/{run.pk}").status_code == 200
    assert dashboard.get("/scheduler-admin").status_code == 200


@pytest.mark.parametrize("returned", [{1, 2}, float("nan"), object()])
def test_what_json_can_not_hold_fails_the_run(declare, returned):
    @declare
    def tidy_up(purge):
        return returned

    run = execution.execute(execution.claim(make.run("tidy_up").pk, 0))

    assert run.status == "failed"
    assert "JSON" in run.error


def test_a_step_that_returns_a_number_stands_under_its_name():
    result = run_steps(first=lambda: 7, second=lambda: None, third=lambda: {"rows": 1})

    assert result == {"first": 7, "rows": 1}


def test_texts_that_no_translation_knows_appear_as_written(dashboard, declare):
    @declare
    def water_the_plants(purge):
        return {"litres": 3}

    page = dashboard.get("/scheduler-admin", headers={"accept-language": "de"}).content.decode()

    assert "Water the plants" in page
    assert "Project-Id-Version" not in page  # what gettext answers for an empty text
