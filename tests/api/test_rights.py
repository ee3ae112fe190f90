"""Every address below /api/admin/scheduler: who may use it, and by which method."""

import uuid

import pytest
from django.urls import resolve
from django.utils import timezone
from rest_framework.test import APIClient

from chat.models import Conversation, User
from housekeeping.api.urls import urlpatterns
from housekeeping.models import Erasure, Hold, Run
from housekeeping.reading.tables import measuring
from tests import make
from tests.api.addresses import SCHEDULER
from tests.conftest import with_token
from tests.visitors import account

pytestmark = pytest.mark.django_db

VIEW, OPERATE, CONFIGURE = "GET", "POST", "POST by who may configure"
CHANGE, END = "PATCH by who may configure", "DELETE by who may configure"
PUT = "PUT by who may operate"
# Every address below /api/admin/scheduler, and the (first) method that it answers.
ADDRESSES = {
    "status": VIEW,
    "trigger": OPERATE,
    "statistics": VIEW,
    "overview": VIEW,
    "snapshots": VIEW,
    "tallies": VIEW,
    "acts": VIEW,
    "consumers": VIEW,
    "settings": VIEW,
    "runs": VIEW,
    "results/{run}": VIEW,
    "runs/{run}": VIEW,
    "runs/{run}/log": VIEW,
    "runs/{run}/receipt": VIEW,
    "runs/{run}/receipt.csv": VIEW,
    "policies": VIEW,
    "policies/conversations": VIEW,
    "policies/conversations/preview": VIEW,
    "runs/cancel": OPERATE,
    "runs/retry": OPERATE,
    "runs/{run}/cancel": OPERATE,
    "runs/{run}/retry": OPERATE,
    "runs/{run}/approve": OPERATE,
    "runs/{run}/undo": CONFIGURE,
    "tables": VIEW,
    "tables/chat_user": VIEW,
    "tasks": VIEW,
    "tasks/stats": VIEW,
    "tasks/stats/acknowledgement": PUT,
    "tasks/stats/trends": VIEW,
    "schedules": VIEW,
    "schedules/fire-times": VIEW,
    "schedules/weekly_cleanup": VIEW,
    "alerts": VIEW,
    "incidents": VIEW,
    "channels": VIEW,
    "channels/pager": VIEW,
    "channels/pager/test": CONFIGURE,
    "erasures": VIEW,
    "erasures/{erasure}": VIEW,
    "holds": VIEW,
    "holds/{hold}": VIEW,
    "runs/{run}/holds": CHANGE,
    "schedules/weekly_cleanup/run": OPERATE,
}
# Beside them: an address may answer more than one method.
MORE = [
    ("channels", CONFIGURE),
    ("channels/pager", CHANGE),
    ("channels/pager", END),
    ("erasures", CONFIGURE),
    ("holds", CONFIGURE),
    ("holds/{hold}", CHANGE),
    ("holds/{hold}", END),
    ("runs/{run}/holds", END),
]
ANSWERED = {path: {"options", method.partition(" ")[0].lower()} for path, method in ADDRESSES.items()}
for _path, _method in [*MORE, *((path, "HEAD") for path, method in ADDRESSES.items() if method == VIEW)]:
    ANSWERED[_path].add(_method.partition(" ")[0].lower())
ANSWERED["tasks/stats/acknowledgement"].add("delete")
for _path in ("schedules", "schedules/weekly_cleanup", "policies/conversations", "tasks/stats"):
    ANSWERED[_path].add("patch")
# Who is asking, and what they are told: to a look, to an act, and to an act of configuring.
ROLES = {
    "nobody": (lambda: APIClient(), 401, 401, 401),
    "user": (lambda: with_token(account()), 403, 403, 403),
    "staff": (lambda: with_token(make.user(is_staff=True)), 403, 403, 403),
    "viewer": (lambda: with_token(account("view_run")), 200, 403, 403),
    "operator": (lambda: with_token(account("view_run", "operate")), 200, 200, 403),
    "configurer": (lambda: with_token(account("view_run", "configure")), 200, 403, 200),
    "superuser": (lambda: with_token(make.administrator()), 200, 200, 200),
}


def address(path):
    status = {"retry": "failed", "acknowledgement": "failed", "approve": "held", "undo": "succeeded"}.get(
        path.rpartition("/")[2], "queued"
    )
    run = make.run("stats", status=status)
    if path.endswith("undo"):
        make.archive(run)
    if path.startswith("tables/"):
        measuring.measure(timezone.now())
    if "pager" in path:
        make.channel("pager", kind="mail", address="ada@example.com")
    row = make.conversation()
    hold = Hold.objects.create(model="chat.Conversation", key=str(row.pk), reason="x", undo=run)
    erasure = Erasure.objects.create(pseudonym=f"erased-{run.pk.hex}", requested_at=make.ago())
    return f"{SCHEDULER}/{path.format(run=run.pk, hold=hold.pk, erasure=erasure.pk)}"


def ask(client, url, method):
    if method == VIEW:
        return client.get(url, {"trigger": "0 2 * * *"} if "fire-times" in url else {})
    if method == CHANGE:
        return client.patch(url, {"on": False} if "channels" in url else {"until": "2127-01-31"})
    if method == PUT:
        return client.put(url, {})
    if method == END:
        return client.delete(url)
    if method == CONFIGURE and url.rstrip("/").endswith("holds"):
        row = Conversation.objects.first()
        return client.post(url, {"model": "chat.Conversation", "key": row.pk, "reason": "x"})
    return client.post(url, body_for(url))


def body_for(url):
    last = url.rstrip("/").rpartition("/")[2]
    if last == "erasures":
        return {"account": User.objects.filter(is_superuser=False).first().username, "dry_run": True}
    if last == "channels":
        return {"name": "on-call", "kind": "mail", "address": "ada@example.com"}
    if last == "trigger":
        return {"task": "messages", "wait": 0}
    if url.rstrip("/").endswith(("runs/cancel", "runs/retry")):
        return {"ids": [str(uuid.uuid4())]}
    return {"wait": 0} if last in ("undo", "run") else {}


def test_every_address_stands_in_the_matrix():
    paths = [
        f"{SCHEDULER}/{path.format(run=uuid.uuid4(), hold=1, erasure=uuid.uuid4())}" for path in ADDRESSES
    ]

    tried = {resolve(path).url_name for path in paths}

    assert tried == {pattern.name for pattern in urlpatterns} - {"schema", "docs"}  # open to all


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "method"), [*ADDRESSES.items(), *MORE])
def test_each_address_asks_for_its_right(path, method, role):
    url = address(path)
    client, look, act, configure = ROLES[role]

    answer = ask(client(), url, method)

    code = 200 if answer.status_code in (201, 202, 204) else answer.status_code
    assert code == {VIEW: look, OPERATE: act, PUT: act}.get(method, configure)


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_viewer_changes_nothing(path, viewer):
    url = address(path)
    before = list(Run.objects.values()), list(Hold.objects.values())
    verbs = ("post", "put", "patch", "delete")

    codes = {getattr(with_token(viewer), verb)(url, {}).status_code for verb in verbs}

    assert codes <= {403, 405}
    assert (list(Run.objects.values()), list(Hold.objects.values())) == before


@pytest.mark.parametrize("path", ADDRESSES)
def test_the_other_methods_are_not_allowed(path, api):
    url = address(path)
    others = {"get", "head", "post", "put", "patch", "delete"} - ANSWERED[path]

    codes = {getattr(api, verb)(url).status_code for verb in others}

    assert codes == {405}


@pytest.mark.parametrize(("path", "method"), [*ADDRESSES.items(), *MORE])
def test_a_trailing_slash_is_accepted(path, method, api):
    answer = ask(api, f"{address(path)}/", method)

    assert answer.status_code in (200, 201, 202, 204)
