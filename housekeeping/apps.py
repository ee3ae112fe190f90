from django.apps import AppConfig


class HousekeepingConfig(AppConfig):
    name = "housekeeping"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # The order matters: what there is to do, then the queue that runs it.
        from housekeeping import checks, tasks  # noqa: F401
        from housekeeping.queue import tasks as queue_tasks  # noqa: F401
