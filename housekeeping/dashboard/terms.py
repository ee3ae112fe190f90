"""Explanations of the product's own words, shown behind a question mark next to them."""

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy

from housekeeping.runs import usual

TERMS = {
    "archive": gettext_lazy(
        "A purge stores a copy of each row that it deletes or makes anonymous. Undo restores the rows"
        " from this copy until it expires."
    ),
    "brake": gettext_lazy(
        "A purge that would delete or change an unusual share of a table is held before it does anything."
        " Somebody has to look at its plan and approve it, or cancel it."
    ),
    "catch-up": gettext_lazy(
        "One run replaces all fire times that were missed while no consumer was running. It is not"
        " repeated for each of them."
    ),
    "dry run": gettext_lazy(
        "A dry run counts what a run would delete or make anonymous, and changes nothing. If you carry out"
        " its plan afterwards, that takes exactly the rows that it listed."
    ),
    "eligible": gettext_lazy(
        "Rows that are older than the retention of their policy. The next run deletes them or makes them"
        " anonymous, unless they are on hold or in use."
    ),
    "erasure": gettext_lazy(
        "Deletes all data of one person on request, as the GDPR (article 17) demands. No archive is made, a"
        " pseudonym takes the place of the name in the history, and a certificate tells what was done."
    ),
    "hold": gettext_lazy(
        "No policy deletes or changes a row on hold, and nobody can delete it through the app, until a date"
        " or indefinitely. Rows that an undo restores are on hold for a while, too."
    ),
    "unusual": format_lazy(
        gettext_lazy(
            "It took at least {factor} times as long, or deleted or changed at least {factor} times as many"
            " rows, as the median of its task's successful runs of the {days} days before it. A run of less"
            " than {seconds} seconds or fewer than {rows} rows is not marked."
        ),
        factor=usual.FACTOR,
        days=usual.DAYS,
        seconds=usual.LEAST_DURATION.seconds,
        rows=usual.LEAST_ROWS,
    ),
}
