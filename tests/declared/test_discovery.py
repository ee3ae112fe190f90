"""The ``tasks.py`` of every app is found when it is first needed, whatever stands in it."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

SETTINGS = """
    SECRET_KEY = "a key for this test alone, as long as Django wants one to be"
    INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", *APPS]
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    HUEY = {
        "huey_class": "housekeeping.queue.huey.SqliteQueue", "filename": "huey.sqlite3", "immediate": False
    }
    USE_TZ = True
"""
OURS = """
    from housekeeping import statistic, task

    @statistic()
    def dust() -> int:
        return 7

    @task()
    def wipe() -> dict:
        return {}
"""
CELERY = """
    import sys
    sys.modules["celery"] = None  # as where it is not installed
    from celery import shared_task

    @shared_task
    def deliver(): ...
"""


@pytest.fixture
def project(tmp_path):
    """A function that makes a project of apps by the text of their tasks.py, and runs code in it."""

    def run(code, *, installed=("housekeeping", "huey.contrib.djhuey"), recipes=(), **apps):
        for name, text in apps.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").touch()
            (tmp_path / name / "tasks.py").write_text(dedent(text))
        settings = dedent(SETTINGS).replace("*APPS", ", ".join(map(repr, [*installed, *apps])))
        (tmp_path / "project.py").write_text(f"{settings}\nHOUSEKEEPING_RECIPES = {list(recipes)}")
        return subprocess.run(
            [sys.executable, "-c", f"import django; django.setup()\n{dedent(code)}"],
            cwd=tmp_path,
            env={"DJANGO_SETTINGS_MODULE": "project", "PYTHONPATH": f"{tmp_path}:{sys.path[0]}"},
            capture_output=True,
            text=True,
        )

    return run


READ = """
    import json, sys
    from housekeeping.declared import registry
    early = [name for name in ("cleaning.tasks", "housekeeping.tasks") if name in sys.modules]
    found = [list(registry.TASKS), list(registry.STATISTICS)]
    print(json.dumps([early, *found, [[one.module, one.is_ours] for one in registry.UNREADABLE]]))
"""


def test_tasks_are_found_when_they_are_first_read_and_the_upkeep_comes_last(project):
    early, tasks, statistics, unreadable = json.loads(project(READ, cleaning=OURS).stdout)

    assert (early, unreadable) == ([], [])
    assert tasks == ["wipe", "history", "verification", "files", "erasures", "imports"]
    assert statistics == ["dust"]


def test_a_tasks_file_of_celery_s_is_passed_over_in_silence(project):
    done = project(READ, mails=CELERY, cleaning=OURS)

    _, tasks, _, unreadable = json.loads(done.stdout)
    assert tasks == ["wipe", "history", "verification", "files", "erasures", "imports"]
    assert unreadable == [["mails.tasks", False]]
    assert done.stderr == ""


NAMES = ["stored", "of", "declared", "writer"]  # of the class that writes them as JSON, too
SHOW = f"""
    from types import SimpleNamespace
    from housekeeping.reading import as_json
    counted = SimpleNamespace(numbers=dict.fromkeys({NAMES}, 7))
    print(as_json.Statistics.of(counted) == counted.numbers, list(as_json.Statistics.declared))
"""


def test_a_statistic_may_bear_any_name(project):
    text = "from housekeeping import statistic" + "".join(
        f"\n@statistic({name!r})\ndef count_{name}(): return 7" for name in NAMES
    )

    done = project(SHOW, cleaning=text)

    assert (done.stdout, done.stderr) == (f"True {NAMES}\n", "")


@pytest.mark.parametrize(
    "text",
    ["from .purges import *", "import os, housekeeping\n    import a_missing_package"],
    ids=["by way of another module", "in a list"],
)
def test_a_file_that_comes_to_us_otherwise_is_ours_as_well(project, tmp_path, text):
    (tmp_path / "purges.py").write_text(dedent(OURS) + "import a_missing_package")
    code = f"import shutil; shutil.move('purges.py', 'cleaning/purges.py')\n{dedent(READ)}"

    _, _, _, unreadable = json.loads(project(code, cleaning=text).stdout)

    assert unreadable == [["cleaning.tasks", True]]


def test_a_file_of_celery_s_is_no_more_ours_for_a_module_called_as_we_are(project):
    text = dedent(CELERY) + "from .housekeeping import more"

    _, _, _, unreadable = json.loads(project(READ, mails=text, cleaning=OURS).stdout)

    assert unreadable == [["mails.tasks", False]]


def test_of_a_tasks_file_of_ours_that_fails_halfway_nothing_stays(project):
    done = project(READ, cleaning=OURS + "\n    import a_missing_package")

    _, tasks, statistics, unreadable = json.loads(done.stdout)
    assert (tasks, statistics) == (["history", "verification", "files", "erasures", "imports"], [])
    assert unreadable == [["cleaning.tasks", True]]
    assert "cleaning.tasks can't be imported, so what it declares is missing" in done.stderr


def test_the_upkeep_of_the_app_itself_is_ours_whatever_fails_in_it(project):
    code = "import sys; sys.modules['housekeeping.engine.verification'] = None"

    done = project(f"{code}\n{dedent(READ)}", cleaning=OURS)

    _, tasks, _, unreadable = json.loads(done.stdout)
    assert (tasks, unreadable) == (["wipe"], [["housekeeping.tasks", True]])


def test_what_another_module_has_declared_meanwhile_stays(project):
    """Cleaning comes after it, and finds its own module imported already."""
    done = project(READ, a_report="import cleaning.tasks, a_missing_package", cleaning=OURS)

    _, tasks, statistics, unreadable = json.loads(done.stdout)
    assert (tasks, statistics) == (
        ["wipe", "history", "verification", "files", "erasures", "imports"],
        ["dust"],
    )
    assert unreadable == [["a_report.tasks", True]]


@pytest.mark.parametrize("command", ["housekeeping.management", "huey.contrib.djhuey.management"])
def test_no_consumer_starts_without_the_tasks_of_a_file_of_ours(project, command):
    code = f"""
        from django.core.management import call_command
        from {command}.commands.run_huey import Command
        call_command("migrate", verbosity=0)
        call_command(Command(), "--disable-autoload")
    """
    done = project(code, cleaning=OURS + "\n    import a_missing_package")

    assert done.returncode == 1
    assert "cleaning.tasks can't be imported: ModuleNotFoundError: No module named" in done.stderr
    assert "a_missing_package" in done.stderr


CHECK = "from django.core.checks import run_checks; [print(one.id, one.msg) for one in run_checks()]"
HUEY_FIRST = ("huey.contrib.djhuey", "housekeeping")


def test_check_names_what_can_t_be_imported(project):
    done = project(CHECK, mails=CELERY, cleaning=OURS + "\n    import a_missing_package")

    assert "housekeeping.W002 mails.tasks can't be imported: ModuleNotFoundError" in done.stdout
    assert "housekeeping.E008 cleaning.tasks can't be imported: ModuleNotFoundError" in done.stdout


def test_huey_s_own_command_ends_at_a_file_of_celery_s_and_check_says_so(project):
    start = "from django.core.management import call_command; call_command('run_huey')"

    done = project(f"{CHECK}\n{start}", installed=HUEY_FIRST, mails=CELERY)

    said = "W004 run_huey is Huey's own command, and can't start: it imports mails.tasks, which fails.\n"
    assert said in done.stdout
    assert "ModuleNotFoundError: import of celery halted" in done.stderr


@pytest.mark.parametrize(
    ("installed", "text"),
    [(("housekeeping", "huey.contrib.djhuey"), CELERY), (HUEY_FIRST, OURS), (("housekeeping",), CELERY)],
    ids=["our command", "nothing unreadable", "no Huey"],
)
def test_nothing_is_said_where_no_command_ends_at_such_a_file(project, installed, text):
    assert "W004" not in project(CHECK, installed=installed, mails=text).stdout


def test_a_recipe_that_fails_takes_no_upkeep_away_and_check_names_it(project):
    broken = "import sys; sys.modules['django.contrib.admin.models'] = None"
    show = "from housekeeping.tasks import UPKEEP; print(list(registry.TASKS), 'deleted_sessions' in UPKEEP)"
    code = "\n".join([broken, "from housekeeping.declared import registry", CHECK, show])
    installed = ("django.contrib.sessions", "django.contrib.admin", "housekeeping", "huey.contrib.djhuey")

    done = project(code, installed=installed, recipes=["admin_log", "sessions"])

    assert "E009 HOUSEKEEPING_RECIPES: 'admin_log' can't be used: it can't be imported: Mod" in done.stdout
    assert "housekeeping.E008" not in done.stdout
    assert done.stdout.endswith("['history', 'verification', 'files', 'erasures', 'imports'] True\n")
