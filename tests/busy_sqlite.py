"""Somebody else who writes to the tests' SQLite database."""

import sqlite3
import threading
from contextlib import contextmanager

from django.db import connection


@contextmanager
def writer(seconds):
    """Somebody else who has written and commits ``seconds`` from now."""
    other = sqlite3.connect(connection.settings_dict["NAME"], uri=True, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE housekeeping_consumer SET pid = pid")
    release = threading.Timer(seconds, other.commit)
    release.start()
    try:
        yield
    finally:
        release.join()
        other.close()
