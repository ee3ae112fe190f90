"""What the product's own words mean: shown behind a question mark beside them."""

from django.utils.translation import gettext_lazy

TERMS = {
    "archive": gettext_lazy(
        "A purge stores a copy of each row that it deletes. Undo puts the rows back from it until it expires."
    ),
    "brake": gettext_lazy(
        "A purge that would delete an unusual share of a table is held before it deletes anything."
        " Somebody has to look at its plan and approve it, or cancel it."
    ),
    "catch-up": gettext_lazy(
        "Fire times that were missed while no consumer was running are made up for by one run. It is not"
        " repeated for each of them."
    ),
    "dry run": gettext_lazy(
        "A dry run counts what a run would delete and changes nothing."
        " Its plan can be carried out afterwards, and then deletes exactly the rows that it listed."
    ),
    "eligible": gettext_lazy(
        "Rows that are older than their policy keeps them. The next run deletes them, unless they are on hold"
        " or in use."
    ),
    "hold": gettext_lazy(
        "A row on hold is deleted by no policy and by nobody through the app, until a date or for good."
        " What an undo puts back is on hold for a while, too."
    ),
}
