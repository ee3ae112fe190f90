"""Signals for integrators: what has happened to runs, told once it is committed.

Each has ``sender=Run`` and ``run``, the run's row at that moment. A signal is sent once, in the process
that wrote the row; if that process dies between the commit and the signal, it is never sent: the rows
are the source of truth. A receiver that raises an error is logged by Django and harms no run, and a
slow one holds up the consumer's worker, so hand long work to a task of your own.
"""

from django.dispatch import Signal

run_ended = Signal()
"""A run has succeeded, failed, been cancelled or missed: see ``run.status``."""

run_held = Signal()
"""The brake holds a run: it waits for approval, with ``run.error`` as the reason."""

fire_time_missed = Signal()
"""A schedule's fire time passed without a run of its own: ``run.scheduled_for`` is the time, and
``run.error`` the reason. ``run_ended`` is sent for it, too."""
