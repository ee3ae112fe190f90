"""Signals for integrators: sent after the commit of what happened to a run.

Each has ``sender=Run`` and ``run``, the run's row at that moment. A signal is sent once, by the process
that wrote the row. If that process dies between the commit and the signal, the signal is lost: the rows
are the source of truth. If a receiver raises an error, Django logs it, and the run is not affected. A slow
receiver delays the consumer's worker, so give long work to a task of your own.
"""

from django.dispatch import Signal

run_ended = Signal()
"""A run has succeeded, failed, been cancelled or missed: see ``run.status``."""

run_held = Signal()
"""The brake holds a run, which now waits for approval. ``run.error`` is the reason."""

fire_time_missed = Signal()
"""A schedule's fire time passed without a run of its own: ``run.scheduled_for`` is the time, and
``run.error`` the reason. ``run_ended`` is sent for it, too."""
