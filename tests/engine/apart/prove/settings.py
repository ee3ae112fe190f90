"""The tests' settings for a process with two databases of its own, whose zoo is in the second."""

import os
from pathlib import Path

from site_config import database, env
from tests.settings import *  # noqa: F403

for _alias in ("default", "other"):
    _found = env.database(f"{_alias.upper()}_DATABASE", "", root=Path("/"))
    DATABASES[_alias] = database.configured(_found, is_pooled=False)  # noqa: F405
DATABASE_ROUTERS = ["tests.other_database.Zoo"]
MEDIA_ROOT = os.environ["MEDIA_ROOT"]
HOUSEKEEPING_BRAKE_SHARE = 1
