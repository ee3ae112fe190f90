from django.apps import AppConfig


class HousekeepingConfig(AppConfig):
    name = "housekeeping"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.signals import request_finished

        from housekeeping import checks  # noqa: F401
        from housekeeping.reading.alerting import site_look

        request_finished.connect(site_look.after_request, dispatch_uid="housekeeping")
