"""Ask the app's API in a project with rules of its own, and print each answer by its name, as JSON."""

import json
import threading
from contextlib import contextmanager

from django.core.management import call_command
from django.test import Client
from huey.contrib.djhuey import HUEY

from housekeeping.models import Run
from tests import make
from tests.visitors import account

API = "/housekeeping/api"


def main():
    call_command("migrate", verbosity=0)
    answers = {}

    def keep(name, answer):
        answers[name] = {"status": answer.status_code, "headers": dict(answer.headers), "text": answer.text}
        return answer

    look(keep, signed_in(account("view_run")))
    act(keep, signed_in(make.administrator(username="ada")))
    print(json.dumps(answers | {"runs": Run.objects.count()}))


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def look(keep, viewer):
    failed = make.run("messages", status="failed", error="Tinte fehlt: ü")
    make.run("users", status="failed", requested_at=make.ago(hours=1))
    result = f"{API}/results/{failed.pk}"

    keep("nobody", Client().get(f"{API}/runs"))
    keep("viewer", viewer.get(f"{API}/runs"))
    keep("viewer who acts", viewer.post(f"{API}/runs/{failed.pk}/cancel"))
    tag = keep("result", viewer.get(result)).get("ETag", "")
    keep("unchanged", viewer.get(result, headers={"If-None-Match": tag}))
    keep("other type", viewer.get(f"{API}/runs", headers={"Accept": "text/loud"}))
    keep("options", viewer.options(f"{API}/runs"))
    keep("after", viewer.get(f"{API}/runs", {"after": "2025-12-17T02:00:00Z"}))
    keep("of a task", viewer.get(f"{API}/runs", {"task": "messages"}))
    keep("schema", Client().get(f"{API}/schema"))
    keep("docs", viewer.get(f"{API}/docs"))
    keep("missing", viewer.get(f"{API}/policies/none"))


def act(keep, administrator):
    def trigger(body, kind="application/json"):
        return administrator.post(f"{API}/trigger", body, kind)

    keep("no object", administrator.patch(f"{API}/policies/messages", "[]", "application/json"))
    keep("form", trigger("task=stats", "application/x-www-form-urlencoded"))
    keep("not a number", trigger('{"task": "stats", "wait": NaN}'))
    with worker():
        keep("trigger", trigger('{"task": "stats", "wait": 20}'))
    keep("fourth", trigger('{"task": "none"}'))
    keep("fifth", trigger('{"task": "none"}'))


@contextmanager
def worker():
    """Carries out one run, as a worker of a consumer does: on a connection of its own."""
    done = threading.Event()

    def work():
        while not done.wait(0.05):
            if task := HUEY.dequeue():
                HUEY.execute(task)
                return

    thread = threading.Thread(target=work)
    thread.start()
    yield
    done.set()
    thread.join()
