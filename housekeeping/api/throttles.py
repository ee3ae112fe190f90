"""How often an account may ask for runs. The rates stand in the settings."""

from rest_framework.throttling import UserRateThrottle


class Trigger(UserRateThrottle):
    """Of everything that opens a run: trigger, retry, approve, undo."""

    scope = "trigger"
