"""Purges photos whose files are in S3, and prints what happened, as JSON.

Run in an environment with django-storages and moto, whose server speaks S3 over HTTP.
"""

import json
import os
from datetime import timedelta

import django
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
os.environ["S3_URL"] = "http://{}:{}".format(*server.get_host_and_port())
django.setup()

from django.core.files.base import ContentFile  # noqa: E402
from django.core.files.storage import default_storage  # noqa: E402
from django.utils import timezone  # noqa: E402

from housekeeping.declared import registry  # noqa: E402
from housekeeping.engine.effects import files  # noqa: E402
from housekeeping.models import FileToDelete  # noqa: E402
from housekeeping.runs import control  # noqa: E402
from tests.zoo.models import Photo  # noqa: E402
from tests.zoo.tasks import PHOTOS, carry_out, task_of  # noqa: E402


def photo(name):
    made = Photo(taken_at=timezone.now() - timedelta(days=40))
    made.file.save(name, ContentFile(b"roar"))
    return made.file.name


def purge():
    return carry_out(control.request("photos", send=lambda run: None))


def sweep(*names):
    """Delete what is due, once the undo windows of these files are closed. Returns result and failures."""
    FileToDelete.objects.filter(name__in=names).update(due_at=timezone.now() - timedelta(minutes=1))
    result = files.delete_due()
    return {**result, "failures": [str(error) for error in result.failures]}


default_storage.connection.create_bucket(
    Bucket="files", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
)
registry.task(policy=PHOTOS)(task_of(PHOTOS))
back = photo("back.jpg")
carry_out(control.undo(purge(), send=lambda run: None))
gone, down = photo("gone.jpg"), photo("down.jpg")
purge()
facts = {
    "windows open": sweep(),
    "windows closed": sweep(back, gone),
    "there": [name for name in (back, gone, down) if default_storage.exists(name)],
}
server.stop()
facts["storage down"] = sweep(down)
facts["notes"] = list(FileToDelete.objects.values_list("name", "attempts"))
print(json.dumps(facts))
