import re
import subprocess
import sys

import pytest

from tests.site_config import site


@pytest.fixture
def clone(tmp_path):
    return site.fresh_clone(tmp_path / "clone")


# --- A value that can't be used -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "maybe"),
        ("DATABASE_URL", "mysql://user:hunter2@host/name"),
        ("DATABASE_URL", "postgres://user:hunter2@host"),
        ("DATABASE_URL", "postgres://user:hunter2/2@host/name"),
        ("DATABASE_URL", "sqlite://:hunter2@host/db.sqlite3"),
        ("DATABASE_URL", "sqlite:////no/such/folder/db.sqlite3"),
        ("HUEY_URL", "amqp://user:hunter2@host"),
        ("HUEY_URL", "redis"),
        ("HUEY_URL", "redis://:hunter2@host:99999/0"),
        ("HUEY_WORKERS", "0"),
        ("HUEY_WORKER_TYPE", "fork"),
        ("TIME_ZONE", "Mars/Olympus_Mons"),
        ("TIME_ZONE", "../etc/passwd"),
        ("EMAIL_URL", "pigeon://user:hunter2@loft"),
        ("EMAIL_URL", "smtp://"),
        ("HOUSEKEEPING_CONVERSATION_RETENTION_DAYS", "-1"),
        ("HOUSEKEEPING_CONVERSATION_RETENTION_DAYS", "99999999999"),
        ("HOUSEKEEPING_CONVERSATION_AGE_FROM", "updated_at"),
        ("HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS", "1.5"),
        ("HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS", "-1"),
        ("HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS", "7"),
        ("HOUSEKEEPING_TEST_SCHEDULE", "sometimes"),
        ("HOUSEKEEPING_UNDO_DAYS", "-1"),
        ("HOUSEKEEPING_PACE", "fast"),
        ("HOUSEKEEPING_BRAKE_SHARE", "50%"),
        ("HOUSEKEEPING_BRAKE_SHARE", "nan"),
        ("HOUSEKEEPING_BRAKE_ROWS", "-1"),
        ("HOUSEKEEPING_AUTOSTART", "perhaps"),
        ("SECRET_KEY", "x" * 31),
        ("SECRET_KEY", "hunter2"),
        ("SITE_URL", "https://"),
        ("SITE_URL", "https://example.com/chat"),
        ("SITE_URL", "https://example.com/?next=/"),
        ("SITE_URL", "https://example.com#top"),
        ("SITE_URL", "https://user:hunter2@example.com"),
        ("SITE_URL", "https://user@example.com"),
        ("BEHIND_PROXY", "nginx"),
        ("LOG_FILE", "/no/such/folder/site.log"),
        ("LOG_FILE", "/tmp"),
        ("DATABASE_URL", "sqlite:////tmp"),
        ("HUEY_URL", "redis://localhost/0?socket_timeout=soon"),
        ("HUEY_URL", "redis://localhost/0?colour=red"),
        ("HUEY_URL", "postgres://user:hunter2 x@127.0.0.1:1/name"),
        ("HUEY_URL", "postgres://user:hunter2%zz@127.0.0.1:1/name"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_line_that_names_the_variable(tmp_path, name, value):
    start = site.manage(tmp_path, "check", **{name: value})

    assert start.returncode == 1
    assert start.stdout == ""
    assert re.fullmatch(rf"{name}=.+ (is|has) .+: .+\.\n", start.stderr)
    assert "hunter2" not in start.stderr


def test_the_line_says_what_would_be_right(tmp_path):
    start = site.manage(tmp_path, "check", HOUSEKEEPING_PACE="fast")

    assert start.stderr == "HOUSEKEEPING_PACE=fast is not valid: use one of gentle, normal, flat-out.\n"


def test_a_warning_as_long_as_the_retention_is_refused(tmp_path):
    start = site.manage(
        tmp_path,
        "check",
        HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS="5",
        HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS="5",
    )

    assert start.stderr == (
        "HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS=5 is too long: use fewer days than"
        " HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS (5), or 0 for no warning.\n"
    )


@pytest.mark.parametrize("command", ["migrate", "run_huey"])
def test_no_command_starts_with_a_bad_value(tmp_path, command):
    start = site.manage(tmp_path, command, HOUSEKEEPING_UNDO_DAYS="-1")

    assert start.returncode == 1
    assert start.stderr == "HOUSEKEEPING_UNDO_DAYS=-1 is not valid: use a whole number, 0 to 36500.\n"
    assert list(tmp_path.iterdir()) == []


# --- The .env file --------------------------------------------------------------------------


def test_the_env_file_at_the_root_is_read(clone):
    (clone / ".env").write_text("# ours\nTIME_ZONE=Europe/Berlin\nexport HUEY_WORKERS='7'\n\nDEBUG=true\n")

    zone, debug, huey = site.settings(clone, "TIME_ZONE", "DEBUG", "HUEY")

    assert (zone, debug, huey["consumer"]["workers"]) == ("Europe/Berlin", True, 7)


def test_env_file_names_another(clone, tmp_path):
    (clone / ".env").write_text("TIME_ZONE=Europe/Berlin")
    other = tmp_path / "production.env"
    other.write_text("TIME_ZONE=Asia/Tokyo")

    zone = site.settings(clone, "TIME_ZONE", ENV_FILE=str(other))

    assert zone == "Asia/Tokyo"


def test_the_environment_wins_over_the_file(clone):
    (clone / ".env").write_text("TIME_ZONE=Europe/Berlin\nDEBUG=true\n")

    zone, debug = site.settings(clone, "TIME_ZONE", "DEBUG", TIME_ZONE="Asia/Tokyo")

    assert (zone, debug) == ("Asia/Tokyo", True)


def test_a_file_from_a_windows_editor_is_read_whole(clone):
    (clone / ".env").write_bytes("\ufeffTIME_ZONE=Europe/Berlin\r\nDEBUG=true\r\n".encode())

    assert site.settings(clone, "TIME_ZONE", "DEBUG") == ["Europe/Berlin", True]


def test_a_bad_value_in_the_file_is_named_as_well(clone):
    (clone / ".env").write_text("HOUSEKEEPING_BRAKE_ROWS=many\n")

    start = site.python(clone, "-m", "site_config.settings")

    assert start.returncode == 1
    assert start.stderr == "HOUSEKEEPING_BRAKE_ROWS=many is not valid: use a whole number, 0 or more.\n"


def test_a_file_that_is_no_text_is_named(clone):
    (clone / ".env").write_bytes(b"TIME_ZONE=\xff\xfe")

    start = site.python(clone, "-m", "site_config.settings")

    assert start.returncode == 1
    assert len(start.stderr.splitlines()) == 1
    assert start.stderr.startswith(f"ENV_FILE={clone}/.env can't be read (")


# --- How values are written -----------------------------------------------------------------


@pytest.mark.parametrize("written", ["1", "yes", " TRUE "])
def test_true_is_written_in_many_ways(clone, written):
    assert site.settings(clone, "DEBUG", DEBUG=written) is True


@pytest.mark.parametrize("written", ["False", "off", ""])
def test_false_is_written_in_many_ways(clone, written):
    assert site.settings(clone, "HOUSEKEEPING_AUTOSTART", HOUSEKEEPING_AUTOSTART=written) is False


def test_a_list_is_written_with_commas(clone):
    hosts = site.settings(clone, "ALLOWED_HOSTS", ALLOWED_HOSTS="example.com, www.example.com,,")

    assert hosts == ["example.com", "www.example.com"]


@pytest.mark.parametrize("written", ["0", "0.25", "1"])
def test_a_share_reaches_from_nothing_to_all(clone, written):
    share = site.settings(clone, "HOUSEKEEPING_BRAKE_SHARE", HOUSEKEEPING_BRAKE_SHARE=written)

    assert share == float(written)


# --- The secret key -------------------------------------------------------------------------


def test_the_key_is_made_at_the_first_start_and_kept(clone):
    first = site.settings(clone, "SECRET_KEY")
    second = site.settings(clone, "SECRET_KEY")

    assert len(first) >= 50
    assert first == second == (clone / ".secret_key").read_text()


def test_two_sites_have_two_keys(tmp_path):
    one, another = site.fresh_clone(tmp_path / "one"), site.fresh_clone(tmp_path / "another")

    assert site.settings(one, "SECRET_KEY") != site.settings(another, "SECRET_KEY")


def test_the_file_of_the_key_is_for_its_owner_alone_and_git_ignores_it(clone):
    site.python(clone, "-m", "site_config.settings", umask=0)

    ignored = (site.PROJECT / ".gitignore").read_text().splitlines()
    assert (clone / ".secret_key").stat().st_mode & 0o777 == 0o600
    assert ".secret_key" in ignored


def test_a_key_in_the_file_that_is_too_short_stops_the_start(clone):
    (clone / ".secret_key").write_text("hunter2\n")

    start = site.python(clone, "-m", "site_config.settings")

    assert start.stderr == "SECRET_KEY=… is too short: use at least 32 random characters.\n"


@pytest.mark.parametrize(
    "key", ["one of our own, which is long enough", "$PATH" * 7, "$and=a#lot 'of%signs, and many more"]
)
def test_a_key_that_is_set_is_used_as_it_is_and_none_is_made(clone, key):
    assert site.settings(clone, "SECRET_KEY", SECRET_KEY=key) == key
    assert not (clone / ".secret_key").exists()


def test_an_empty_variable_is_no_key(clone):
    key = site.settings(clone, "SECRET_KEY", SECRET_KEY="")

    assert key == (clone / ".secret_key").read_text()


@pytest.mark.parametrize("spoil", [lambda file: file.touch(), lambda file: file.mkdir()])
def test_a_file_that_holds_no_key_stops_the_start(clone, spoil):
    spoil(clone / ".secret_key")

    start = site.python(clone, "-m", "site_config.settings")

    assert start.returncode == 1
    assert len(start.stderr.splitlines()) == 1
    assert start.stderr.startswith("SECRET_KEY= is empty, and ")
    assert str(clone / ".secret_key") in start.stderr


def test_a_folder_that_takes_no_file_stops_the_start(tmp_path):
    code = (
        "import sys, pathlib, site_config.env as env; env.secret_key('SECRET_KEY', pathlib.Path(sys.argv[1]))"
    )

    start = site.python(site.PROJECT, "-c", code, str(tmp_path / "missing" / "key"))

    assert start.returncode == 1
    assert start.stderr.startswith("SECRET_KEY= is empty, and ")
    assert len(start.stderr.splitlines()) == 1


RACE = """
import pathlib, sys
from site_config import env

print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    print(env.secret_key("SECRET_KEY", pathlib.Path(sys.argv[1], str(number))))
"""


def test_processes_that_start_at_the_same_moment_agree_on_the_key(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen(command, cwd=site.PROJECT, env={}, **pipes) for _ in range(3)]
    for racer in racers:
        racer.stdout.readline()
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()

    keys = [racer.communicate(timeout=60)[0].splitlines() for racer in racers]

    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys[0])) == 200
    assert len(list(tmp_path.iterdir())) == 200  # no draft is left behind
