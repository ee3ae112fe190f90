"""Reads and checks the environment and the ``.env`` file.

Each function takes the name of a variable and its default, and returns the value in the type that the
settings use. A value that can't be used ends the process with one sentence that names the variable, what
is wrong and what would be right. An operator who mistyped a setting sees no traceback.
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
SHORTEST_KEY = 32  # characters: with fewer, whoever has a signed message can try out keys


settings_read: list[str] = []  # the settings of the app that a variable may set


class BadSetting(SystemExit):
    """Ends the process. Its text is the line that the operator reads."""


def reject(name: str, value: object, problem: str, remedy: str) -> NoReturn:
    """End the process with a sentence: ``DEBUG=maybe is not valid: use true or false.``"""
    raise BadSetting(f"{name}={value} {problem}: {remedy}.")


def read_file(path: Path) -> None:
    """Read the variables of a ``.env`` file, if there is one. The environment has priority."""
    if not path.is_file():
        return
    try:
        lines = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        reject("ENV_FILE", path, f"can't be read ({error})", "make it UTF-8 text that the site may read")
    Env.read_env(io.StringIO(lines), overwrite=False)


def text(name: str, default: str) -> str:
    # Not read by environ, which takes a value that starts with "$" for the name of another variable: a
    # secret that happens to start like that would be lost silently.
    return os.environ.get(name, default).strip()


def served_at(command: list[str]) -> str:
    """The address of the site that this command starts: that of runserver, otherwise port 8000."""
    parser = ArgumentParser(add_help=False)
    for option in ("--verbosity", "-v", "--settings", "--pythonpath"):  # their values are not the address
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
    """A list, separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def boolean(name: str, default: bool) -> bool:
    value = text(name, str(default)).lower()
    if value in ("true", "1", "yes", "on"):
        return True
    if value in ("false", "0", "no", "off", ""):
        return False
    reject(name, value, "is not valid", "use true or false")


def integer(name: str, default: int, *, at_least: int = 0, at_most: int | None = None) -> int:
    value = text(name, str(default))
    upper = f"to {at_most}" if at_most is not None else "or more"
    remedy = f"use a whole number, {at_least} {upper}"
    try:
        number = int(value)
    except ValueError:
        reject(name, value, "is not valid", remedy)
    if number < at_least or (at_most is not None and number > at_most):
        reject(name, value, "is not valid", remedy)
    return number


def days(name: str, default: int) -> int:
    """A number of days, up to a century."""
    return integer(name, default, at_most=conf.LONGEST_DAYS)


def setting(name: str) -> Any:
    """A setting of the app. ``housekeeping.conf`` declares its default and the values that it takes."""
    key = name.removeprefix("HOUSEKEEPING_")
    known = conf.SETTINGS[key]
    settings_read.append(key)
    value = text(name, str(known.default))
    try:
        read = type(known.default)(value)
    except ValueError:
        read = None
    if not known.accepts(read):
        reject(name, "…" if known.is_secret else value, "is not valid", f"use {known.wanted}")
    return read


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in choices:
        reject(name, value, "is not valid", f"use one of {', '.join(choices)}")
    return value


def time_zone(name: str, default: str) -> str:
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        reject(name, value, "is not a time zone", "use a name such as Europe/Berlin")
    return value


def url(name: str, default: str, schemes: tuple[str, ...]) -> SplitResult:
    """A URL with one of ``schemes``. An error never shows its password."""
    try:
        parts = urlsplit(text(name, default))
        _ = parts.port  # urllib checks the port only when it is read
    except ValueError:  # its text may quote the password
        reject(
            name, "…", "is not a URL", "use a number as its port, and write a slash in its password as %2F"
        )
    if parts.scheme not in schemes:
        shown = f"{parts.scheme}://…" if parts.scheme else "…"
        reject(name, shown, "is not valid", f"start it with {' or '.join(f'{one}://' for one in schemes)}")
    if parts.scheme.startswith(("http", "smtp")) and not parts.hostname:
        reject(name, f"{parts.scheme}://…", "has no host", f"write it as {parts.scheme}://host")
    return parts


def site(name: str, default: str) -> str:
    """The address of the site, without a slash at the end. It is in links, so it holds nothing else."""
    parts = url(name, default, ("http", "https"))
    shown, remedy = f"{parts.scheme}://…", f"write it as {parts.scheme}://{parts.hostname}"
    if "@" in parts.netloc:
        reject(name, shown, "has a user or a password", remedy)
    if parts.path.strip("/"):
        reject(name, shown, "has a path", remedy)
    if parts.query or parts.fragment:
        reject(name, shown, "has a query or a fragment", remedy)
    return f"{parts.scheme}://{parts.netloc}"


def database(name: str, default: str, *, root: Path) -> dict[str, Any]:
    """Django's DATABASES entry for ``sqlite://`` or ``postgres://``. Files are relative to ``root``."""
    parts = url(name, default, ("sqlite", "postgres", "postgresql"))
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file_of(name, parts, root)}
    if not parts.path.strip("/"):
        remedy = "write its name after the host, as in postgres://user@host/name"
        reject(name, f"{parts.scheme}://…", "has no database", remedy)
    return dict(Env.db_url_config(parts.geturl()))


def file_of(name: str, parts: SplitResult, root: Path) -> Path:
    """The file of ``sqlite:///relative`` or ``sqlite:////absolute``."""
    path = parts.path.removeprefix("/")
    if parts.netloc or not path:
        remedy = "write it as sqlite:///file.sqlite3 or sqlite:////an/absolute/path"
        reject(name, "sqlite://…", "is not the path of a file", remedy)
    return in_folder(name, root / path)


def in_folder(name: str, file: Path) -> Path:
    """``file``, whose folder must exist: a mistyped name must not create one."""
    if not file.parent.is_dir():
        reject(name, "…", f"is in the folder {file.parent}, which does not exist", "create it or use another")
    if file.is_dir():
        reject(name, "…", f"is a folder ({file})", "name a file in it")
    return file


def check_redis(name: str, parts: SplitResult) -> None:
    """Let the Redis client read the URL, its database and its options. Opens no connection."""
    try:
        redis.ConnectionPool.from_url(parts.geturl()).make_connection()
    except (TypeError, ValueError) as error:
        problem = f"is refused by the Redis client ({error})"
        reject(name, f"{parts.scheme}://…", problem, "correct its database or its options")


def check_postgres(name: str, parts: SplitResult) -> None:
    """Let the PostgreSQL client read the URL and its options. Opens no connection."""
    try:
        conninfo_to_dict(parts.geturl())
    except psycopg.Error:  # its text may quote the password
        remedy = "write a space as %20 and a percent sign as %25, and use only libpq's options"
        reject(name, f"{parts.scheme}://…", "is refused by the PostgreSQL client", remedy)


def email(name: str, default: str, *, smtp: str) -> dict[str, Any]:
    """Django's EMAIL_* settings for ``smtp://``, ``smtps://``, ``consolemail://`` and the like.

    ``smtp`` is the backend for mail by SMTP.
    """
    parts = url(name, default, tuple(scheme for scheme in Env.EMAIL_SCHEMES if scheme))
    facts = dict(Env.email_url_config(parts.geturl()))
    return facts | {"EMAIL_BACKEND": smtp} if parts.scheme.startswith("smtp") else facts


def secret_key(name: str, file: Path) -> str:
    """The key from the variable, otherwise from ``file``, which the first start creates (mode 0600)."""
    value = text(name, "")
    if value:
        return _long_enough(name, value)
    try:
        if not file.exists():
            _make_key_file(file)
        value = file.read_text().strip()
    except OSError as error:
        problem = f"is empty, and {file} can't be used ({error.strerror})"
        reject(name, "", problem, f"set {name}, or make that file readable and writable")
    if not value:
        remedy = f"set {name}, or delete that file to have a new key made"
        reject(name, "", f"is empty, and so is {file}", remedy)
    return _long_enough(name, value)


def _long_enough(name: str, key: str) -> str:
    if len(key) < SHORTEST_KEY:
        reject(name, "…", "is too short", f"use at least {SHORTEST_KEY} random characters")
    return key


def _make_key_file(file: Path) -> None:
    # The site and a consumer may start at the same moment. So write the whole key to a draft and link it
    # into place: the first process wins.
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_urlsafe(64))
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
