"""How long a purge takes that exports its rows first, or makes them anonymous, compared with a plain one.

    python -m benchmarks.ends [CONVERSATIONS] [ROUNDS]

Each conversation has ten messages (default: 4,000 conversations, 3 rounds). It fills a test database beside
the one of DATABASE_URL, by default of SQLite, and removes it. All contenders archive for an undo. Prints the
median of the seconds in this process, and their ratio to the plain purge of the same round. Nothing is
asserted here.
"""

import os
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from statistics import median

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_config.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Q, Value  # noqa: E402
from django.db.models.functions import Concat  # noqa: E402
from django.utils import timezone  # noqa: E402

from chat.models import ChatMessage, Conversation  # noqa: E402
from housekeeping import anonymise, export  # noqa: E402
from housekeeping.declared import registry  # noqa: E402
from housekeeping.models import Archive, Run  # noqa: E402
from housekeeping.runs import control  # noqa: E402
from housekeeping.runs.work import execution  # noqa: E402

ENDS = {
    "plain": (),
    "export, jsonl": export("cold"),
    "export, parquet": export("cold", "parquet"),
    "anonymise": anonymise({"title": Concat(Value("gone "), "pk")}, done=Q(title__startswith="gone ")),
}


def fill(number: int) -> None:
    old = timezone.now() - timedelta(days=400)
    user = get_user_model().objects.get_or_create(username="ada")[0]
    made = Conversation.objects.bulk_create(
        [Conversation(user=user, title=f"Talk {each}", created_at=old) for each in range(number)]
    )
    text = "What a machine does for long it does a little worse each day. " * 3
    ChatMessage.objects.bulk_create(
        [
            ChatMessage(conversation=one, role="user", content=f"{each} {text}", created_at=old)
            for one in made
            for each in range(10)
        ],
        batch_size=2_000,
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def seconds(then: object) -> float:
    [policy] = registry.TASKS["conversations"].policies
    policy = replace(policy, name="measured", then=then)
    registry.task("measured", policy=policy)(lambda purge: {"rows": purge(policy)})
    run = control.request("measured", send=lambda run: None)
    claimed = execution.claim(run.pk, run.attempts)
    began = time.perf_counter()
    ended = execution.execute(claimed)
    took = time.perf_counter() - began
    assert ended.status == Run.Status.SUCCEEDED, ended.error
    del registry.TASKS["measured"]
    for model in (Archive, ChatMessage, Conversation):
        model.objects.all().delete()
    return took


def main(number: int = 4_000, rounds: int = 3) -> None:
    name = connection.creation.create_test_db(verbosity=0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            cold = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": folder}}
            settings.STORAGES = {**settings.STORAGES, "cold": cold}
            settings.HOUSEKEEPING_BRAKE_SHARE = 1
            settings.HOUSEKEEPING_PACE = "flat-out"
            took: dict[str, list[float]] = {end: [] for end in ENDS}
            for _ in range(rounds):
                for end, then in ENDS.items():
                    fill(number)
                    took[end].append(seconds(then))
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
    print(f"{connection.vendor}: {number:,} conversations, {number * 10:,} messages, {rounds} rounds")
    for end, all_of_them in took.items():
        ratio = median(one / plain for one, plain in zip(all_of_them, took["plain"], strict=True))
        print(f"{end:<16} {median(all_of_them):6.2f} s   {ratio:5.2f} x")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
