"""The look of the site's own processes: is a consumer alive? A consumer can't tell of its own death.

A request causes it, at most once a minute in each process, by Django's signal ``request_finished``: no
middleware is needed, and a thread does the work once the answer is sent.
"""

import logging
import threading
import time
from typing import Any

from django.core import mail
from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

LOOKED_EACH = 60.0  # seconds
_next_look = time.monotonic() + LOOKED_EACH / 2
_choosing = threading.Lock()


def after_request(**kwargs: Any) -> None:
    """A receiver of the signal. It takes no time."""
    # In a test run, Django keeps mails in a list. A thread would hold the database that the tests delete.
    if _is_due() and not hasattr(mail, "outbox"):
        threading.Thread(target=look, name="look", daemon=True).start()


def _is_due() -> bool:
    """Is the next look due? Of several threads that ask, one is told so."""
    global _next_look
    with _choosing:
        now = time.monotonic()
        if now < _next_look:
            return False
        _next_look = now + LOOKED_EACH
        return True


def look() -> None:
    """Look whether a consumer is alive. If none is, also send what waits: nobody else does."""
    # Imported here: this module is imported before Django has loaded the models.
    from housekeeping.database import clock
    from housekeeping.journal import outbox
    from housekeeping.models import Consumer
    from housekeeping.reading.alerting import watch

    try:
        now = clock.now()
        watch.look_for_consumers(now)
        if not Consumer.objects.alive(now).exists():
            outbox.deliver()
    except DatabaseError as error:
        logger.warning("Could not look whether a consumer is alive: %s", error)
    finally:
        connection.close()
