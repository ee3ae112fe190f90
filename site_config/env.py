"""The environment and the ``.env`` file, read and checked.

Every function takes a variable's name and its default and returns the value in
the type it is used in. A value that can't be used ends the process with one line
that names the variable, what was wrong and what would be right: an operator who
mistyped a setting reads a sentence, not a traceback.
"""

import io
import os
import secrets
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

import psycopg
import redis
from environ import Env
from psycopg.conninfo import conninfo_to_dict

from housekeeping import conf

DEFAULT_ADDRESS = "http://127.0.0.1:8000"


class BadSetting(SystemExit):
    """Ends the process; its text is the line that the operator reads."""


def reject(name: str, value: object, wanted: str) -> NoReturn:
    """Stop the start: ``name`` holds ``value``, and ``wanted`` says what it should hold."""
    raise BadSetting(f"{name}={value}: {wanted}")


def read_file(path: Path) -> None:
    """Take the variables of a ``.env`` file, where there is one. The environment's own win."""
    if not path.is_file():
        return
    try:
        lines = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        reject("ENV_FILE", path, f"make it text (UTF-8) that the site may read ({error})")
    Env.read_env(io.StringIO(lines), overwrite=False)


def text(name: str, default: str) -> str:
    # Not environ's own reading: it takes a value that starts with "$" for another variable's
    # name, so that a secret which happens to start so would be lost without a word.
    return os.environ.get(name, default).strip()


def served_at(command: list[str]) -> str:
    """Where the site answers that this command starts: runserver's address, else port 8000."""
    parser = ArgumentParser(add_help=False)
    for option in ("--verbosity", "-v", "--settings", "--pythonpath"):  # a value of theirs is no address
        parser.add_argument(option)
    parser.add_argument("--ipv6", "-6", action="store_true")
    parser.add_argument("address", nargs="?", default="")
    if command[1:2] != ["runserver"]:
        return DEFAULT_ADDRESS
    told = parser.parse_known_args(command[2:])[0]
    host, _, port = told.address.rpartition(":")
    if host in ("", "0", "0.0.0.0", "[::]"):  # noqa: S104
        host = "[::1]" if told.ipv6 else "127.0.0.1"
    return f"http://{host}:{port if port.isdecimal() else 8000}"


def words(name: str, default: str) -> list[str]:
    """A list, written with commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def boolean(name: str, default: bool) -> bool:
    value = text(name, str(default)).lower()
    if value in ("true", "1", "yes", "on"):
        return True
    if value in ("false", "0", "no", "off", ""):
        return False
    reject(name, value, "write true or false")


def integer(name: str, default: int, *, at_least: int = 0, at_most: int | None = None) -> int:
    value = text(name, str(default))
    upper = f" to {at_most}" if at_most is not None else " or more"
    wanted = f"write a whole number, {at_least}{upper}"
    try:
        number = int(value)
    except ValueError:
        reject(name, value, wanted)
    if number < at_least or (at_most is not None and number > at_most):
        reject(name, value, wanted)
    return number


def days(name: str, default: int) -> int:
    """A number of days, up to a century: a longer one leaves the calendar that Python knows."""
    return integer(name, default, at_most=36_500)


def setting(name: str) -> Any:
    """A setting of housekeeping's: ``housekeeping.conf`` has its default, and the values that it takes."""
    known = conf.SETTINGS[name.removeprefix("HOUSEKEEPING_")]
    value = text(name, str(known.default))
    try:
        read = type(known.default)(value)
    except ValueError:
        read = None
    if not known.accepts(read):
        reject(name, value, f"write {known.wanted}")
    return read


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in choices:
        reject(name, value, f"write one of {', '.join(choices)}")
    return value


def time_zone(name: str, default: str) -> str:
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        reject(name, value, "write the name of a time zone, such as Europe/Berlin")
    return value


def url(name: str, default: str, schemes: tuple[str, ...]) -> SplitResult:
    """A URL of one of ``schemes``. Its password is never part of an error."""
    try:
        parts = urlsplit(text(name, default))
        _ = parts.port  # urllib checks the port only when it is asked for
    except ValueError:  # urllib's own words may quote a password
        reject(name, "…", "not a URL; write a number for its port, and %2F for a slash in its password")
    if parts.scheme not in schemes:
        reject(name, f"{parts.scheme}://…", f"start it with {' or '.join(f'{s}://' for s in schemes)}")
    if parts.scheme.startswith(("http", "smtp")) and not parts.hostname:
        reject(name, f"{parts.scheme}://…", f"name the host: {parts.scheme}://host")
    return parts


def database(name: str, default: str, *, root: Path) -> dict[str, Any]:
    """Django's DATABASES entry for ``sqlite://`` or ``postgres://``; files are relative to root."""
    parts = url(name, default, ("sqlite", "postgres", "postgresql"))
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file_of(name, parts, root)}
    if not parts.path.strip("/"):
        reject(name, f"{parts.scheme}://…", "name the database after the host: postgres://user@host/name")
    return dict(Env.db_url_config(parts.geturl()))


def file_of(name: str, parts: SplitResult, root: Path) -> Path:
    """The file of ``sqlite:///relative`` or ``sqlite:////absolute``."""
    path = parts.path.removeprefix("/")
    if parts.netloc or not path:
        reject(name, "sqlite://…", "write sqlite:///file.sqlite3, or sqlite:////an/absolute/path")
    return in_folder(name, root / path)


def in_folder(name: str, file: Path) -> Path:
    """``file``, in a folder that is there: none is made by mistyping its name."""
    if not file.parent.is_dir():
        reject(name, "…", f"there is no folder {file.parent}")
    if file.is_dir():
        reject(name, "…", f"{file} is a folder; name a file in it")
    return file


def check_redis(name: str, parts: SplitResult) -> None:
    """Are its database and options ones that the Redis client knows? Opens no connection."""
    try:
        redis.ConnectionPool.from_url(parts.geturl()).make_connection()
    except (TypeError, ValueError) as error:
        reject(name, f"{parts.scheme}://…", f"the Redis client refuses it ({error})")


def check_postgres(name: str, parts: SplitResult) -> None:
    """Is it a URL that the PostgreSQL client reads? Opens no connection."""
    try:
        conninfo_to_dict(parts.geturl())
    except psycopg.Error:  # its own words may quote a password
        wanted = "the PostgreSQL client refuses it; write %20 for a space, %25 for a percent sign"
        reject(name, f"{parts.scheme}://…", f"{wanted} and only options that it knows")


def email(name: str, default: str, *, smtp: str) -> dict[str, Any]:
    """Django's EMAIL_* settings for ``smtp://``, ``smtps://``, ``consolemail://`` and the like.

    ``smtp``: the backend for mail by SMTP.
    """
    parts = url(name, default, tuple(scheme for scheme in Env.EMAIL_SCHEMES if scheme))
    facts = dict(Env.email_url_config(parts.geturl()))
    return facts | {"EMAIL_BACKEND": smtp} if parts.scheme.startswith("smtp") else facts


def secret_key(name: str, file: Path) -> str:
    """The key of the variable, else of ``file``, which is made (mode 0600) at the first start."""
    value = text(name, "")
    if value:
        return value
    try:
        if not file.exists():
            _make_key_file(file)
        value = file.read_text().strip()
    except OSError as error:
        reject(name, "", f"set it, or make {file} readable and writable ({error.strerror})")
    if not value:
        reject(name, "", f"{file} is empty; delete it to have a new key made, or set {name}")
    return value


def _make_key_file(file: Path) -> None:
    # Site and consumer may start at the same moment: the key is written whole to
    # a file of its own and linked into place, and the first of the two stays.
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_urlsafe(64))
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
