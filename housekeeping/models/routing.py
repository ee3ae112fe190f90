"""Which database our rows are read from."""

from typing import Any, TypeVar

from django.db import models, router

M = TypeVar("M", bound=models.Model)


class OwnQuerySet(models.QuerySet[M]):
    """Reads from the database that it writes to, regardless of the project's routers.

    A replica may lag behind, and show a retention, a hold or a claim that no longer applies.
    """

    @property
    def db(self) -> str:
        return router.db_for_write(self.model)


class OwnManager(models.Manager[M]):
    """Spelled out: mypy loses a manager made by ``as_manager()`` once it has this module in its cache."""

    def get_queryset(self) -> OwnQuerySet[M]:
        return OwnQuerySet(self.model, using=self._db)


class OwnModel(models.Model):
    """A row of ours."""

    objects = OwnManager()

    class Meta:
        abstract = True

    def refresh_from_db(self, using: str | None = None, *args: Any, **options: Any) -> None:
        super().refresh_from_db(using or router.db_for_write(type(self)), *args, **options)
