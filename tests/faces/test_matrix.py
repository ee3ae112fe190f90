"""Every address of the site, by whom and by which method it may be used.

An address that has no row here fails a test: whoever adds one says who may use it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone
from rest_framework_simplejwt.tokens import RefreshToken

from housekeeping.models import Channel, Erasure, Hold, Run, TableSize
from housekeeping.reading.tables import measuring
from tests import make
from tests.visitors import account

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REFUSED = (401, 403, 405)

# Who is let in by each right. A superuser has them all.
NO_RUN = "00000000-0000-4000-8000-000000000000"
UNSEEING = {"operator, unseeing", "configurer, unseeing"}
ANYONE = {"nobody", "user", "viewer", "operator", "configurer", "superuser"} | UNSEEING
SIGNED_IN = ANYONE - {"nobody"}
VIEW = SIGNED_IN - {"user"} - UNSEEING
OPERATE = {"operator", "superuser"}
CONFIGURE = {"configurer", "superuser"}
EITHER = OPERATE | CONFIGURE  # which of the two depends on what is asked for
ACCOUNTS: dict[str, Callable[[], Any]] = {
    "user": account,
    "viewer": lambda: account("view_run"),
    "operator": lambda: account("view_run", "operate"),
    "configurer": lambda: account("view_run", "configure"),
    "superuser": make.administrator,
    "operator, unseeing": lambda: account("operate"),
    "configurer, unseeing": lambda: account("configure"),
}


@dataclass
class Row:
    """Who may use which methods; how the address is filled in; what is sent."""

    methods: dict[str, set[str]]
    fill: Callable[[Any], dict[str, Any]] = lambda user: {}
    body: dict[str, Any] = field(default_factory=dict)


def of_run(user):
    # All that can be asked of it now is refused for what it is (409): nothing is waited for.
    run = Run.objects.filter(task="stats", cause="manual").first()
    return {"pk": (run or make.run("stats", status="running")).pk}


def of_ended_run(user):
    return {"pk": make.run("users", status="failed").pk}


def of_hold(user):
    return {"pk": Hold.objects.create(model="chat.User", key="1", reason="evidence").pk}


def of_run_with_holds(user):
    run = make.run("stats", status="succeeded")
    Hold.objects.create(model="chat.User", key="1", reason="undone", undo=run)
    return {"pk": run.pk}


def of_erasure(user):
    which = {"pseudonym": "erased-1", "requested_at": make.ago(), "state": "finished"}
    return {"pk": (Erasure.objects.first() or Erasure.objects.create(**which)).pk}


def of_channel(user):
    now = make.ago()
    Channel.objects.update_or_create(
        name="pager", defaults={"kind": "mail", "address": "a@example.com", "made_at": now, "changed_at": now}
    )
    return {"name": "pager"}


def of_conversation(user):
    return {"pk": make.conversation(user=user).pk if user else 1}


def of_table(user):
    if not TableSize.objects.exists():
        measuring.measure(timezone.now())
    return {"name": "chat_user"}


def of(**names):
    return lambda user: names


looked_at = {"GET": VIEW}
operated = {"POST": OPERATE}
asked_first = {"GET": OPERATE, "POST": OPERATE}
configured = {"POST": CONFIGURE}
signing_in = dict.fromkeys(METHODS, SIGNED_IN) | dict.fromkeys(["GET", "POST", "PUT"], ANYONE)
own_account = dict.fromkeys(["GET", "POST", "PUT"], SIGNED_IN)
asked_by_anyone = {"POST": ANYONE}
schedule, policy = of(pk="weekly_cleanup"), of(pk="conversations")

PAGES = {
    "home": Row(dict.fromkeys(METHODS, ANYONE)),  # leads to the dashboard, whatever the method
    "favicon": Row(dict.fromkeys(METHODS, ANYONE)),
    # PUT is a POST to Django's view, and who has signed in is led on by any method.
    "login": Row(signing_in),
    # PUT is a POST to Django's view.
    "password": Row({"GET": SIGNED_IN, "POST": SIGNED_IN, "PUT": SIGNED_IN}),
    "logout": Row(asked_by_anyone),
    # PUT is a POST to the views of django-allauth, too. A page about a factor that is not there is not found.
    "account_login": Row(signing_in),
    "mfa_authenticate": Row(dict.fromkeys(METHODS, ANYONE)),  # leads to the page to sign in
    "mfa_login_webauthn": Row(signing_in),
    # PUT is a POST to Django's views.
    "password-forgotten": Row(dict.fromkeys(["GET", "POST", "PUT"], ANYONE)),
    "password-forgotten-sent": Row({"GET": ANYONE}),
    "password-new": Row(dict.fromkeys(METHODS, ANYONE), of(uidb64="MQ", token="made-up")),
    "mfa_index": Row({"GET": SIGNED_IN}),
    "mfa_list_webauthn": Row({"GET": SIGNED_IN}),
    "mfa_activate_totp": Row(own_account),
    "mfa_deactivate_totp": Row({}),
    "mfa_add_webauthn": Row(own_account),
    "mfa_remove_webauthn": Row({}, of(pk=1)),
    "usersessions_list": Row(own_account),
    "mfa_view_recovery_codes": Row({}),
    "mfa_generate_recovery_codes": Row(own_account),
    "verify": Row({"GET": ANYONE, "POST": ANYONE}, of(token="made-up")),
    "housekeeping_monitoring:healthz": Row({"GET": ANYONE}),
    "housekeeping_monitoring:readyz": Row({"GET": ANYONE}),
    "housekeeping_monitoring:metrics": Row({"GET": ANYONE}),
    "dashboard": Row(looked_at),
    "housekeeping:overview": Row(looked_at),
    "housekeeping:runs": Row(looked_at),
    "housekeeping:trends": Row(looked_at),
    "housekeeping:tables": Row(looked_at),
    "housekeeping:table": Row(looked_at, of_table),
    "housekeeping:acts": Row(looked_at),
    "housekeeping:consumers": Row(looked_at),
    "housekeeping:settings": Row(looked_at),
    "housekeeping:alerts": Row(looked_at),
    "housekeeping:channel": Row(looked_at, of_channel),
    "housekeeping:channel-add": Row(configured),
    "housekeeping:channel-change": Row(configured, of_channel),
    "housekeeping:channel-test": Row(configured, of_channel),
    "housekeeping:channel-secret": Row(configured, of_channel),
    "housekeeping:channel-remove": Row(configured, of_channel),
    "housekeeping:erasures": Row(looked_at),
    "housekeeping:erasure-begin": Row(configured),
    "housekeeping:erasure": Row(looked_at, of_erasure),
    "housekeeping:erasure-certificate": Row(looked_at, of_erasure),
    "housekeeping:run-log": Row(looked_at, of_run),
    "housekeeping:runs-act": Row(operated),
    "housekeeping:runs-csv": Row(looked_at),
    "housekeeping:holds": Row(looked_at),
    "housekeeping:hold-add": Row(configured),
    "housekeeping:hold-change": Row(configured, of_hold),
    "housekeeping:hold-end": Row(configured, of_hold),
    "housekeeping:undo-holds-change": Row(configured, of_ended_run),
    "housekeeping:undo-holds-end": Row({"GET": CONFIGURE, "POST": CONFIGURE}, of_ended_run),
    "housekeeping:run": Row(looked_at, of_run),
    "housekeeping:run-receipt-json": Row(looked_at, of_run),
    "housekeeping:run-receipt-csv": Row(looked_at, of_run),
    "housekeeping:schedule": Row(looked_at, schedule),
    "housekeeping:policy": Row(looked_at, policy),
    "housekeeping:policy-preview": Row(looked_at, policy),
    "housekeeping:task": Row(looked_at, of(name="stats")),
    "housekeeping:trigger": Row(asked_first, lambda user: of_run(user) and {"name": "stats"}),
    "housekeeping:task-pause": Row(operated, of(name="stats")),
    "housekeeping:task-resume": Row(operated, of(name="stats")),
    "housekeeping:task-acknowledge": Row(operated, of(name="stats")),
    "housekeeping:task-unacknowledge": Row(operated, of(name="stats")),
    "housekeeping:pause-all": Row(operated),
    "housekeeping:resume-all": Row(operated),
    "housekeeping:schedule-pause": Row(operated, schedule),
    "housekeeping:schedule-resume": Row(operated, schedule),
    "housekeeping:schedule-run": Row(
        asked_first, lambda user: of_run(user) and {"pk": "statistics_generation"}
    ),
    "housekeeping:schedule-change": Row(configured, schedule),
    "housekeeping:schedule-reset": Row(configured, schedule),
    "housekeeping:policy-change": Row(configured, policy),
    "housekeeping:policy-reset": Row(configured, policy),
    "housekeeping:run-carry-out": Row(asked_first, of_run),
    "housekeeping:run-cancel": Row(operated, of_run),
    "housekeeping:run-retry": Row(asked_first, of_run),
    "housekeeping:run-approve": Row(asked_first, of_run),
    "housekeeping:run-undo": Row(configured, of_ended_run),
}  # fmt: skip
API = {
    "token": Row(asked_by_anyone),
    "token-refresh": Row(asked_by_anyone),
    "token-blacklist": Row(asked_by_anyone),
    "register": Row(asked_by_anyone),
    "api-verify": Row(asked_by_anyone),
    "chat": Row({"POST": SIGNED_IN}, body={"message": "Hello"}),
    "conversation-list": Row({"GET": SIGNED_IN, "POST": SIGNED_IN}),
    "conversation": Row({"GET": SIGNED_IN, "DELETE": SIGNED_IN}, of_conversation),
    "message-list": Row({"GET": SIGNED_IN, "POST": SIGNED_IN}, of_conversation, {"content": "Hello"}),
    "housekeeping_api:scheduler-status": Row(looked_at),
    "housekeeping_api:statistics": Row(looked_at),
    "housekeeping_api:overview": Row(looked_at),
    "housekeeping_api:snapshot-list": Row(looked_at),
    "housekeeping_api:tally-list": Row(looked_at),
    "housekeeping_api:act-list": Row(looked_at),
    "housekeeping_api:consumer-list": Row(looked_at),
    "housekeeping_api:setting-list": Row(looked_at),
    "housekeeping_api:fire-times": Row(looked_at),
    "housekeeping_api:schedule-list": Row({"GET": VIEW, "PATCH": OPERATE}, body={"paused": False}),
    "housekeeping_api:schedule": Row({"GET": VIEW, "PATCH": EITHER}, schedule),
    "housekeeping_api:table-list": Row(looked_at),
    "housekeeping_api:table": Row(looked_at, of_table),
    "housekeeping_api:task-list": Row(looked_at),
    "housekeeping_api:task": Row({"GET": VIEW, "PATCH": OPERATE}, of(name="stats"), {"paused": False}),
    "housekeeping_api:task-trends": Row(looked_at, of(name="stats")),
    "housekeeping_api:acknowledgement": Row({"PUT": OPERATE, "DELETE": OPERATE}, of(name="stats")),
    "housekeeping_api:policy-list": Row(looked_at),
    "housekeeping_api:policy": Row(
        {"GET": VIEW, "PATCH": CONFIGURE}, policy, {"retention_days": 30, "dry_run": True}
    ),
    "housekeeping_api:policy-preview": Row(looked_at, policy),
    "housekeeping_api:schedule-run": Row(
        operated, lambda user: of_run(user) and {"pk": "statistics_generation"}, {"wait": 0}
    ),
    "housekeeping_api:run-list": Row(looked_at),
    "housekeeping_api:runs-cancel": Row(operated, body={"ids": [NO_RUN]}),
    "housekeeping_api:runs-retry": Row(operated, body={"ids": [NO_RUN]}),
    "housekeeping_api:run-log": Row(looked_at, of_run),
    "housekeeping_api:run": Row(looked_at, of_run),
    "housekeeping_api:run-result": Row(looked_at, of_run),
    "housekeeping_api:run-receipt": Row(looked_at, of_run),
    "housekeeping_api:run-receipt-csv": Row(looked_at, of_run),
    "schema": Row({"GET": ANYONE}),
    "docs": Row({"GET": ANYONE}),
    "housekeeping_api:schema": Row({"GET": ANYONE}),
    "housekeeping_api:docs": Row({"GET": ANYONE}),
    "housekeeping_api:erasure-list": Row(
        {"GET": VIEW, "POST": CONFIGURE}, body={"account": "nobody", "dry_run": True}
    ),
    "housekeeping_api:erasure": Row(looked_at, of_erasure),
    "housekeeping_api:hold-list": Row({"GET": VIEW, "POST": CONFIGURE}),
    "housekeeping_api:hold": Row({"GET": VIEW, "PATCH": CONFIGURE, "DELETE": CONFIGURE}, of_hold),
    "housekeeping_api:alert-list": Row(looked_at),
    "housekeeping_api:incident-list": Row(looked_at),
    "housekeeping_api:channel-list": Row({"GET": VIEW, "POST": CONFIGURE}),
    "housekeeping_api:channel": Row(
        {"GET": VIEW, "PATCH": CONFIGURE, "DELETE": CONFIGURE}, of_channel, {"on": True}
    ),
    "housekeeping_api:channel-test": Row(configured, of_channel),
    "housekeeping_api:run-holds": Row({"PATCH": CONFIGURE, "DELETE": CONFIGURE}, of_run_with_holds),
    "housekeeping_api:trigger": Row(operated, body={"task": "no such task"}),
    "housekeeping_api:run-cancel": Row(operated, of_run),
    "housekeeping_api:run-retry": Row(operated, of_run),
    "housekeeping_api:run-approve": Row(operated, of_run),
    "housekeeping_api:run-undo": Row(configured, of_ended_run, {"wait": 0}),
}
ADMIN_MODELS = {
    "auth.Group",
    "axes.AccessAttempt",
    "axes.AccessFailureLog",
    "axes.AccessLog",
    "chat.Conversation",
    "chat.User",
    "housekeeping.Hold",
    "mfa.Authenticator",
    "token_blacklist.BlacklistedToken",
    "token_blacklist.OutstandingToken",
}


def routes(resolver=None, before="", space=""):
    """The name and the pattern of every address; Django's admin has some without a name."""
    for one in (resolver or get_resolver()).url_patterns:
        pattern = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one, pattern, f"{one.namespace}:" if one.namespace else space)
        else:
            yield f"{space}{one.name or ''}", pattern


def client_of(role):
    """A browser and a program at once: signed in by a session, and with a token."""
    if role == "nobody":
        return Client(), None
    user = ACCOUNTS[role]()
    client = Client(headers={"Authorization": f"Bearer {RefreshToken.for_user(user).access_token}"})
    client.force_login(user)
    return client, user


def ask(name, row, method, client, user):
    address = reverse(name, kwargs=row.fill(user))
    return client.generic(method, address, make.json(row.body), "application/json")


def is_let_in(answer):
    to_sign_in = answer.status_code == 302 and answer["Location"].startswith("/sign-in?next=")
    return answer.status_code not in (*REFUSED, 404) and not to_sign_in


def may_ask(roles):
    """An act of the API needs its own right alone; one of the dashboard, which shows a page, two."""
    return roles | {f"{role}, unseeing" for role in roles if "viewer" not in roles} & UNSEEING


def test_every_address_has_a_row():
    names = {name for name, _ in routes() if not name.startswith("admin")}

    assert names == {*PAGES, *API}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_lets_in_whom_it_should(name):
    row = PAGES[name]
    for role in sorted(ANYONE):
        somebody = client_of(role)
        for method in METHODS:
            answer = ask(name, row, method, *somebody)

            assert answer.status_code < 500, (role, method)
            assert is_let_in(answer) == (role in row.methods.get(method, ())), (role, method)
            if method in row.methods and not is_let_in(answer):
                assert answer.status_code in ((302, 405) if role == "nobody" else (403,)), (role, method)


@pytest.mark.parametrize("name", API)
def test_an_address_of_the_api_lets_in_whom_it_should(name):
    row = API[name]
    for role in sorted(ANYONE):
        somebody = client_of(role)
        for method in METHODS:
            answer = ask(name, row, method, *somebody)

            # To be let in and then told that the sign-in is wrong is a 401, too.
            let_in = is_let_in(answer) or (name == "token-refresh" and answer.status_code == 401)
            assert answer.status_code < 500, (role, method)
            assert let_in == (role in may_ask(row.methods.get(method, set()))), (role, method)
            if method in row.methods and not let_in:
                assert answer.status_code == (401 if role == "nobody" else 403), (role, method)


@pytest.mark.parametrize("name", [*PAGES, *API])
def test_asking_for_the_options_tells_nobody_more(name):
    row = PAGES.get(name) or API[name]

    answer = ask(name, row, "OPTIONS", Client(), None)

    is_open = any("nobody" in roles for roles in row.methods.values())
    assert answer.status_code < 500
    assert is_open or not is_let_in(answer)


@pytest.mark.parametrize("name", [*PAGES, *API])
def test_head_is_answered_as_get_is(name):
    row = PAGES.get(name) or API[name]
    somebody = client_of("superuser")

    got, head = (ask(name, row, method, *somebody) for method in ("GET", "HEAD"))

    assert (head.status_code, head.content) == (got.status_code, b"")


@pytest.mark.parametrize("role", sorted(SIGNED_IN))
@pytest.mark.parametrize("name", ["conversation", "message-list"])
def test_what_belongs_to_somebody_else_is_not_there(name, role):
    theirs = make.conversation(title="A secret", messages=1)
    client, _ = client_of(role)

    for method in API[name].methods:
        answer = client.generic(
            method, reverse(name, kwargs={"pk": theirs.pk}), make.json({"content": "x"}), "application/json"
        )
        assert answer.status_code == 404, method
        assert "secret" not in answer.content.decode()

    theirs.refresh_from_db()
    assert theirs.messages.count() == 1


@pytest.mark.parametrize("role", sorted(SIGNED_IN))
def test_nobody_goes_on_in_somebody_else_s_conversation(role):
    theirs = make.conversation(title="A secret")
    client, _ = client_of(role)

    body = make.json({"message": "Hello", "conversation": theirs.pk})
    answer = client.generic("POST", "/api/chat", body, "application/json")

    assert answer.status_code == 400
    assert not theirs.messages.exists()


# --- Django's admin ---------------------------------------------------------------------------


def test_every_table_of_django_s_admin_has_a_row():
    assert {model._meta.label for model in admin.site._registry} == ADMIN_MODELS


def addresses_of_the_admin():
    for name, pattern in routes():
        if name.startswith("admin:"):
            address = pattern.replace("<path:object_id>", "1").replace("<id>", "1").replace("^", "")
            address = address.replace("(?P<app_label>", "").split("|")[0].replace("(?P<url>.*)$", "no/such")
            yield "/" + address.replace("<path:content_type_id>", "1").rstrip("$")


@pytest.mark.parametrize("role", sorted(ANYONE - {"superuser"}))
def test_django_s_admin_lets_in_staff_alone(role):
    client, _ = client_of(role)

    for address in addresses_of_the_admin():
        if address == "/admin/login/":
            continue
        for method in ("GET", "POST"):
            answer = client.generic(method, address)
            assert answer.status_code == 302, (method, address)
            assert answer["Location"].startswith(("/admin/login/?next=", "/admin/")), (method, address)


def test_staff_without_a_right_sees_no_table():
    client = Client()
    client.force_login(make.user(is_staff=True))

    for label in ADMIN_MODELS:
        assert client.get(f"/admin/{label.lower().replace('.', '/')}/").status_code == 403, label


def test_a_superuser_opens_each_address_of_the_admin():
    client, _ = client_of("superuser")

    codes = {address: client.get(address).status_code for address in addresses_of_the_admin()}

    assert {code for code in codes.values() if code >= 500} == set()
    assert [code for path, code in codes.items() if path.endswith(("/", "/add/")) and code == 200]
