import json
import logging

import pytest

from housekeeping.database import private
from tests.site_config import site

# Writes a row and a line to the log, and says the modes of all files while the database is open.
CODE = """
import json, logging, pathlib
from chat.models import User
User.objects.create(username="ada", email="ada@example.com")
logging.getLogger("chat").warning("one line")
files = pathlib.Path("{folder}").iterdir()
print(json.dumps({{file.name: oct(file.stat().st_mode & 0o777) for file in files}}))
"""
OURS = ["db.sqlite3", "db.sqlite3-shm", "db.sqlite3-wal", "huey.sqlite3", "site.log"]


def modes(folder):
    """The modes of the site's files with a usual umask."""
    settings = {"LOG_FILE": str(folder / "site.log"), "umask": 0o022}
    site.manage(folder, "migrate", **settings)
    shell = site.manage(folder, "shell", "--no-imports", "-c", CODE.format(folder=folder), **settings)
    assert shell.returncode == 0, shell.stderr
    found = json.loads(shell.stdout)
    return {name: found[name] for name in OURS}


def test_the_database_and_the_log_are_for_their_owner_alone(tmp_path):
    assert modes(tmp_path) == dict.fromkeys(OURS, "0o600")


def test_files_that_everybody_may_read_are_closed_at_the_next_start(tmp_path):
    for name in ("db.sqlite3", "huey.sqlite3", "site.log"):
        (tmp_path / name).touch(0o644)

    assert modes(tmp_path) == dict.fromkeys(OURS, "0o600")


def test_a_mode_that_leaves_others_out_is_kept(tmp_path):
    file = tmp_path / "site.log"
    file.touch(0o640)

    private.make(file)

    assert file.stat().st_mode & 0o777 == 0o640


def test_where_a_link_leads_to_is_made_for_its_owner_alone(tmp_path):
    link, target = tmp_path / "db.sqlite3", tmp_path / "disk" / "db.sqlite3"
    target.parent.mkdir()
    link.symlink_to(target)

    private.make_sqlite(link)

    assert target.stat().st_mode & 0o777 == 0o600


def test_what_sqlite_keeps_is_closed_beside_where_a_link_leads_to(tmp_path):
    link, target = tmp_path / "db.sqlite3", tmp_path / "disk" / "db.sqlite3"
    target.parent.mkdir()
    link.symlink_to(target)
    beside = target.with_name("db.sqlite3-wal")
    for file in (target, beside):
        file.touch(0o644)

    private.make_sqlite(link)

    assert {file.stat().st_mode & 0o777 for file in (target, beside)} == {0o600}


@pytest.mark.parametrize("path", ["/dev/null", "/nowhere/site.log"])
def test_what_is_no_file_of_ours_is_left_as_it_is(path):
    private.make(path)


def test_a_log_that_logrotate_has_moved_away_is_made_anew_for_its_owner_alone(tmp_path):
    file = tmp_path / "site.log"
    handler = private.LogFile(file)
    file.rename(tmp_path / "site.log.1")

    handler.emit(logging.makeLogRecord({"msg": "after it"}))
    handler.close()

    assert (file.read_text(), file.stat().st_mode & 0o777) == ("after it\n", 0o600)
