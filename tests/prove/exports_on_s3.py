"""Exports parks to S3, imports them, and erases a person from them, and prints what happened, as JSON.

Run in an environment with django-storages, pyarrow and moto, whose server speaks S3 over HTTP.
"""

import json
import os
import sys
from dataclasses import replace
from io import StringIO

import django
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
os.environ["S3_URL"] = "http://{}:{}".format(*server.get_host_and_port())
django.setup()

from django.core.files.storage import default_storage  # noqa: E402
from django.core.management import call_command  # noqa: E402

from housekeeping import export  # noqa: E402
from housekeeping.declared import registry  # noqa: E402
from housekeeping.models import Archive, Export, Hold  # noqa: E402
from tests.zoo import tasks  # noqa: E402
from tests.zoo.models import Park, Photo  # noqa: E402

policy = replace(tasks.POLICIES[0], name="exported", then=export("default", sys.argv[1]))
registry.task(policy=policy)(tasks.task_of(policy))


def parks():
    for number in range(3):
        park = Park.objects.create(name=f"Park {number}", opened_at=tasks.AS_OF - 2 * tasks.MONTH)
        Photo.objects.create(park=park, taken_by="ada")


def there():
    return sorted(Park.objects.values_list("name", flat=True)), Photo.objects.count()


default_storage.connection.create_bucket(
    Bucket="files", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
)
parks()
run = tasks.purge("exported")
[one] = Export.objects.all()
Archive.objects.all().delete()
facts = {
    "exported": [run.status, *there()],
    "files": sorted(name.rpartition("/")[2] for name in one.files),
    "listed": sorted(default_storage.listdir(one.folder)[1]),
}
out = StringIO()
call_command("housekeeping_runs", "import", "exported", "--storage", "default", stdout=out)
facts["imported"] = [out.getvalue().splitlines(), *there()]
server.stop()
Hold.objects.all().delete()  # rows that were put back are on hold
down = tasks.purge("exported")
facts["storage down"] = [down.status, down.error, *there()]
print(json.dumps(facts))
