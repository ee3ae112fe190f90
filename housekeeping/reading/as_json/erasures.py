"""Erasures as JSON."""

from housekeeping import models
from housekeeping.erasure.requests import Preview
from housekeeping.reading.as_json.fields import (
    Address,
    AnyObject,
    Flag,
    Id,
    Many,
    Map,
    Moment,
    Object,
    Text,
    Whole,
)

ROWS = "Rows by table."
FILES = "Files by field."


class Erasure(Object[models.Erasure]):
    """The erasure of one person. It names nobody."""

    id = Id()
    state = Text(choices=models.Erasure.State.values, help="stopped: nothing was changed, for the reason.")
    pseudonym = Text(help="What stands for the person's name.")
    requested_by = Text(nullable=True, help="Who requested it; null: a program.")
    requested_at = Moment()
    started_at = Moment(nullable=True)
    finished_at = Moment(nullable=True)
    reason = Text(nullable=True, help="Why it was stopped, before anything was changed.")
    deleted = Map(Whole(), "rows", help=ROWS)
    erased_from_archives = Map(Whole(), "archived", help=ROWS)
    erased_from_exports = Map(Whole(), "exported", help=ROWS)
    deleted_files = Map(Whole(), "files", help=FILES)
    changed = Map(Whole(), help="Rows that stay, without the person, by table.")
    certificate = AnyObject(nullable=True, help="What was done, and what can't be reached.")
    digest = Text(nullable=True, help="SHA-256 of the certificate.")
    url = Address("erasure")


class ErasurePreview(Object[Preview]):
    """What an erasure would delete at this moment."""

    account = Text("person.name", help="The name of the account.")
    key = Text("person.key", help="The key of the account.")
    archived = Flag("is_archived", help="The account lives only in archives.")
    rows = Map(Whole(), lambda preview: dict(preview.rows), help=ROWS)
    files = Map(Whole(), lambda preview: dict(preview.files), help="Rows that name a file, by field.")
    archives = Whole(help="How many archives are searched as well.")
    obstacles = Many(Text(), help="Why it can't be carried out; empty if it can.")
