"""A storage for exports that may fail, and parks to export."""

from dataclasses import replace
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages

from housekeeping.declared import registry
from housekeeping.declared.ends import export
from tests.zoo import tasks
from tests.zoo.models import Park, Photo
from tests.zoo.worlds import AS_OF

PARKS = replace(tasks.POLICIES[0], name="exported", then=export("cold"))


FILES = ("zoo.Park.jsonl.gz", "zoo.Photo.jsonl.gz")
OLD = AS_OF - 2 * tasks.MONTH


class Cold(FileSystemStorage):
    """A folder that may fail. ``acts`` are carried out once a whole export is in it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.acts, self.fails_at, self.damages, self.keeps_all = [], "", "", False

    def delete(self, name):
        if self.keeps_all:
            raise PermissionError("nothing may be deleted")
        if not self.exists(name):
            raise FileNotFoundError(name)  # as some storages do
        super().delete(name)

    def after(self, act):
        self.acts.append(act)

    def save(self, name, content, max_length=None):
        if self.fails_at and name.endswith(self.fails_at):
            raise OSError("the disk is full")
        if self.damages and name.endswith(self.damages):
            content = ContentFile(b"x" + content.read()[1:])
        saved = super().save(name, content, max_length)
        while name.endswith("manifest.json") and self.acts:
            self.acts.pop()()
        return saved

    def there(self):
        root = Path(self.location)
        return {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}


def store_in(folder, settings):
    """Call a storage in this folder "cold". Returns it."""
    cold = {"BACKEND": f"{__name__}.Cold", "OPTIONS": {"location": folder}}
    settings.STORAGES = {**settings.STORAGES, "cold": cold}
    return storages["cold"]


def declare(policy):
    """Let the task purge by this policy instead."""
    now = registry.TASKS["exported"]
    registry.TASKS["exported"] = replace(now, policies=(policy,), function=tasks.task_of(policy))


def old_parks(number=2):
    parks = [Park.objects.create(opened_at=OLD) for _ in range(number)]
    for park in parks:
        Photo.objects.create(park=park)
    return parks
