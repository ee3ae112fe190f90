"""The description of the API: complete, current, and open to all."""

import html
import re

import pytest
import yaml
from django.test import Client
from django.urls import resolvers
from drf_spectacular.renderers import OpenApiYamlRenderer

from housekeeping.api.description.document import OWN
from housekeeping.api.description.meanings import KEYS, MEANINGS
from housekeeping.reading.search import TEXT_REACH
from site_config.description import WHOLE
from tests.test_project import ROOT


def test_the_description_that_is_checked_in_is_current():
    told, kept = (
        OpenApiYamlRenderer().render(WHOLE.document()),
        (ROOT / "docs/reference/openapi.yaml").read_bytes(),
    )

    assert without_tasks(kept) == without_tasks(told), "Write it anew: make schema"


def without_tasks(text):
    """The description but for the names of tasks: a site that adds one tells of it by itself."""
    described = yaml.safe_load(text)
    described["components"]["schemas"]["TriggerRequest"]["properties"]["task"].pop("enum")
    return described


def test_the_description_is_openapi_3_1_and_names_every_address():
    routes = resolvers.get_resolver().url_patterns
    described = {path.replace("{name}", "{id}") for path in WHOLE.document()["paths"]}

    assert WHOLE.document()["openapi"] == "3.1.0"
    assert addresses(routes) - {"/api/docs", "/api/admin/scheduler/docs"} == described


def addresses(routes, prefix="/"):
    """Every address below /api/, its key written as {id}."""
    found = set()
    for route in routes:
        path = prefix + re.sub(
            r"\(\?P<\w+>.*?\)(?=/|$)", "{id}", str(route.pattern).strip("^$").removesuffix("/?")
        )
        found |= addresses(route.url_patterns, path) if hasattr(route, "url_patterns") else {path}
    return {path.replace("\\", "") for path in found if path.startswith("/api/") or prefix != "/"}


@pytest.mark.parametrize("text", ["docs/reference/http-api.md", "docs/reference/openapi.yaml"])
def test_how_far_back_a_text_is_looked_for_is_told(text):
    assert f"the newest {TEXT_REACH:,}" in " ".join((ROOT / text).read_text().split())


def test_every_operation_says_what_it_does_and_who_may():
    operations = [one for path in WHOLE.document()["paths"].values() for one in path.values()]

    assert all(one["summary"] and one["responses"] for one in operations)
    open_to_all = {one["operationId"] for one in operations if one["security"] == []}
    assert open_to_all == {
        "blacklist_token", "create_token", "get_housekeeping_schema", "get_schema", "refresh_token",
        "register", "verify",
    }  # fmt: skip


def test_everything_is_described():
    document = WHOLE.document()
    operations = [one for path in document["paths"].values() for one in path.values()]
    shapes = document["components"]["schemas"]
    fields = {
        f"{name}.{field}": facts
        for name, shape in shapes.items()
        for field, facts in shape.get("properties", {}).items()
        if "$ref" not in facts  # the object that it leads to is described
    }
    parameters = {
        f"{one['operationId']} {parameter['name']}": parameter
        for one in operations
        for parameter in one.get("parameters", [])
    }

    answers = [answer for one in operations for answer in one["responses"].values()]

    assert all(one["description"] for one in operations)
    assert all("$ref" in answer or answer["description"] for answer in answers)
    for described in (shapes, fields, parameters):
        assert [name for name, facts in described.items() if not facts.get("description")] == []


def test_a_key_in_an_address_has_the_type_of_the_id_in_its_object():
    paths = WHOLE.document()["paths"]
    kinds = {path: paths[path]["get"]["parameters"][0]["schema"] for path in paths if path.endswith("/{id}")}

    assert {path.split("/")[-2]: (one["type"], one.get("format")) for path, one in kinds.items()} == {
        "conversations": ("integer", None),
        "erasures": ("string", "uuid"),
        "holds": ("integer", None),
        "results": ("string", "uuid"),
        "runs": ("string", "uuid"),
    }


def test_no_meaning_is_left_of_a_field_that_is_gone():
    document = WHOLE.document()
    shapes = document["components"]["schemas"]
    fields = {field for shape in shapes.values() for field in shape.get("properties", {})}
    operations = [one for path in document["paths"].values() for one in path.values()]
    fields |= {parameter["name"] for one in operations for parameter in one.get("parameters", [])}
    exact = {f"{name}.{field}" for name, shape in shapes.items() for field in shape.get("properties", {})}

    assert MEANINGS.keys() <= fields | exact
    assert KEYS.keys() <= {part for path in document["paths"] for part in path.split("/")}


def test_every_operation_is_called_by_a_verb():
    names = {one["operationId"] for path in WHOLE.document()["paths"].values() for one in path.values()}

    assert {"list_holds", "create_hold", "get_hold", "change_hold", "delete_hold", "list_policies"} < names
    assert {name.partition("_")[0] for name in names} == {
        "approve", "blacklist", "cancel", "change", "chat", "create", "delete", "get", "list", "refresh",
        "register", "retry", "run", "set", "test", "trigger", "undo", "verify",
    }  # fmt: skip


def test_a_body_is_one_flat_object():
    bodies = {
        name: shape
        for name, shape in WHOLE.document()["components"]["schemas"].items()
        if name.endswith("Request")
    }

    assert "retention_days" in bodies["PolicyRequest"]["properties"]
    assert [name for name, shape in bodies.items() if {"oneOf", "anyOf", "allOf", "not"} & set(shape)] == []


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
        ("application/yaml", "application/yaml"),
    ],
)
def test_the_description_is_open_to_all_as_json_or_yaml(accept, kind, client):
    answer = client.get("/api/schema", headers={"Accept": accept})

    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, kind)
    assert yaml.safe_load(answer.content)["info"]["title"] == "Housekeeping"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/"])
def test_the_description_is_a_page_that_names_every_operation(path, client):
    page = client.get(path)

    text = html.unescape(page.text)
    assert "either retention_days, or reset: true" in text
    names = {one["operationId"] for path in WHOLE.document()["paths"].values() for one in path.values()}
    assert page.status_code == 200
    assert [name for name in names if f'id="{name}"' not in text] == []
    assert [path for path in WHOLE.document()["paths"] if f"<code>{path}</code>" not in text] == []
    assert not re.search(r"<style|style=|<script(?![^>]+src=)", text)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/docs", "/api/schema"])
@pytest.mark.parametrize("accept", ["*/*", "application/yaml"])
def test_who_has_the_description_is_told_that_it_has_not_changed(path, accept, client):
    asked = {"Accept": accept}
    tag = client.get(path, headers=asked)["ETag"]

    again = client.get(path, headers=asked | {"If-None-Match": tag})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.django_db
def test_the_costly_part_of_the_page_is_made_once(client):
    client.get("/api/docs")

    page = client.get("/api/docs")

    assert "housekeeping/api_docs.html" in [one.name for one in page.templates]
    assert "housekeeping/_api_fields.html" not in [one.name for one in page.templates]
    assert not client.cookies  # nothing can be posted from it


@pytest.mark.django_db
def test_one_visitor_s_page_of_the_description_is_not_the_next_one_s(dashboard):
    assert "Sign out" in dashboard.get("/api/docs").text
    assert "Sign out" not in Client().get("/api/docs").text


@pytest.mark.django_db
def test_the_app_s_api_is_described_by_itself_too(client):
    described = client.get("/api/admin/scheduler/schema").json()
    page = client.get("/api/admin/scheduler/docs")

    assert described == OWN.document()
    assert {path.startswith("/api/admin/scheduler/") for path in described["paths"]} == {True}
    assert [tag["name"] for tag in described["tags"]] == ["housekeeping", "about"]
    assert 'href="/api/admin/scheduler/schema"' in page.text
    assert "/api/chat" not in page.text


def test_both_descriptions_tell_the_same_of_an_operation():
    own, whole = OWN.document()["paths"], WHOLE.document()["paths"]

    assert own == {path: whole[path] for path in own}
