"""How many models of public projects a policy may have.

    python -m tests.field [--rows [--postgres]] [PROJECT | PROJECT=CHECKOUT …]

Each project is installed from PyPI into an environment of its own, which is gone afterwards. Some projects
are not there: give the folder of a checkout. For each it prints the models that are taken, those in all, and
why others are refused. A model is taken if ``check`` has no error for a policy of it.

With ``--rows``, it makes all tables and random rows in them, purges the rows of each model, and undoes it:
purging.py tells what is compared.
"""

import argparse
from collections import Counter

from tests.field.environments import on_postgres, told
from tests.field.projects import PROJECTS
from tests.services import postgres


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.field")
    parser.add_argument("project", nargs="*", help=f"{', '.join(PROJECTS)}; default: all that PyPI has")
    parser.add_argument("--rows", action="store_true", help="purge rows of each model, and undo it")
    parser.add_argument("--postgres", action="store_true", help="with --rows: on PostgreSQL")
    options = parser.parse_args()
    given = dict(one.partition("=")[::2] for one in options.project)
    wanted = given or {name: "" for name, project in PROJECTS.items() if not project.checkout}
    for name, checkout in wanted.items():
        if name not in PROJECTS or bool(PROJECTS[name].checkout) != bool(checkout):
            parser.error(f"{name}: unknown, or given with a checkout that it does not need, or without one")
    if options.rows:
        for name, checkout in wanted.items():
            purge(name, checkout, is_on_postgres=options.postgres)
    else:
        count_all(wanted)


def count_all(wanted: dict[str, str]) -> None:
    in_all: Counter[str] = Counter()
    for name, checkout in wanted.items():
        found = told("count", name, checkout)
        print(f"{name:20} {found['taken']:4} of {found['models']:4} models, {found['versions']}", flush=True)
        for reason, times in found["refused"].items():
            print(f"  {times:4} x {reason}")
        in_all += Counter(taken=found["taken"], models=found["models"])
    share = in_all["taken"] / in_all["models"]
    print(f"{'all':20} {in_all['taken']:4} of {in_all['models']:4} models ({share:.1%})")


def purge(name: str, checkout: str, *, is_on_postgres: bool) -> None:
    if is_on_postgres:
        with postgres() as url:
            found = told("purging", name, checkout, on_postgres(url))
    else:
        found = told("purging", name, checkout)
    print(
        f"{name:20} {found['tables']:4} tables, {found['purged']:4} purged and undone,"
        f" {found['as_django']:4} of them as Django does it",
        flush=True,
    )
    for label in found["otherwise"]:
        print(f"  otherwise: {label}")
    for why in ("empty", "failed"):
        for label, text in found[why].items():
            print(f"  {why}: {label}: {text}")


main()
