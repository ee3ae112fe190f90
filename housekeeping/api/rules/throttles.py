"""How often one account may start runs: ``conf.TRIGGER_RATE``."""

from rest_framework.throttling import UserRateThrottle

from housekeeping import conf


class OpensRun(UserRateThrottle):
    """Counts everything that opens a run: trigger, retry, approve, undo."""

    scope = "housekeeping"  # a part of the key in the cache, which the project shares

    def get_rate(self) -> str | None:
        return conf.TRIGGER_RATE or None
