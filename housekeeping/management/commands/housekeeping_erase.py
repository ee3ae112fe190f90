"""Erase one person for good, here and now, and print the certificate."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from housekeeping.erasure import people, requests
from housekeeping.erasure.requests import Preview
from housekeeping.journal import acts
from housekeeping.management import by_hand
from housekeeping.management.base import OperatorCommand
from housekeeping.models import Erasure, Run
from housekeeping.reading import as_json, words
from housekeeping.runs import control


class Command(OperatorCommand):
    help = (
        "Erases a person for good: the account and all rows that belong to it, also in archives and plans."
        " It can't be undone. Shows first what would be deleted, and asks for the account's name."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the account's name, mail address or key (`key:10`)")
        parser.add_argument("--dry-run", action="store_true", help="show what would be deleted")
        parser.add_argument("--confirm", metavar="NAME", help="the account's name, instead of being asked")
        parser.add_argument("--json", action="store_true", help="print the erasure as JSON")

    def handle(self, *args: Any, user: str, dry_run: bool, confirm: str | None, **options: Any) -> None:
        person = people.find(user)
        preview = requests.preview(person)
        if dry_run and options["json"]:
            self.print_json(as_json.ErasurePreview.of(preview))
            return
        self._show(preview)
        if preview.obstacles:
            raise CommandError(" ".join(preview.obstacles))
        if dry_run:
            return
        requests.check_typed(person, self._asked(person.name) if confirm is None else confirm)
        by = acts.operator()
        erasure = requests.store(person, by=by)
        run = by_hand.waiting_run(requests.TASK, dry_run=False, plan=None, by=None, tell=self.stderr.write)
        run = by_hand.carry_out_waiting(
            run or control.request(requests.TASK, send=by_hand.tell_nobody, by=by)
        )
        erasure.refresh_from_db()
        self._tell(erasure, run, in_json=options["json"])

    def _show(self, preview: Preview) -> None:
        person = preview.person
        called = " ".join([repr(person.name), *(f"<{address}>" for address in person.addresses)])
        where = " (archived)" if preview.is_archived else ""
        self.stderr.write(f"The account {called} with the key {person.key}{where}:")
        for table, rows in preview.rows.items():
            self.stderr.write(f"  {words.rows(rows)} of {table}")
        for name, files in preview.files.items():
            self.stderr.write(f"  the files of {words.rows(files)}: {name}")
        self.stderr.write("  and their copies in archives, plans, holds and logs.")

    def _asked(self, name: str) -> str:
        if not sys.stdin.isatty():
            raise CommandError("Nobody can be asked here: give the account's name with --confirm.")
        return input(f"This can't be undone. Type {name} to erase this person: ")

    def _tell(self, erasure: Erasure, run: Run, *, in_json: bool) -> None:
        if in_json:
            self.print_json(as_json.Erasure.of(erasure))
        if erasure.state == Erasure.State.STOPPED:
            raise CommandError(f"Nothing was changed. {erasure.reason}")
        if erasure.is_open:
            raise CommandError(
                f"The erasure is not finished: {run.error or run.status}. Run the command again, or"
                f" `run_housekeeping --task {requests.TASK}`."
            )
        if in_json:
            return
        self.stdout.write(self.style.SUCCESS(f"Erased; the person is {erasure.pseudonym} from now on."))
        certificate = erasure.certificate or {}
        for title, name in (
            ("deleted", "deleted"),
            ("erased from archives", "erased_from_archives"),
            ("erased from exports", "erased_from_exports"),
            ("deleted files", "deleted_files"),
        ):
            for table, count in certificate.get(name, {}).items():
                self.stdout.write(f"  {count:,} {title}: {table}")
        for column, rows in certificate.get("left", {}).items():
            count = "not counted" if rows < 0 else f"{rows:,} rows"
            self.stdout.write(self.style.WARNING(f"  still names the person: {column} ({count})"))
        for text in certificate.get("not_reached", ()):
            self.stdout.write(f"  not reached: {text}")
        self.stdout.write(f"Certificate {erasure.pk}, SHA-256 {erasure.digest}")
