"""Questions that are asked before rows are deleted.

A question is a page of its own, or a dialog with JavaScript. Its numbers are counted when it is asked.
Only the form on it can answer: the answer is signed, and valid for the person who was asked and for
some minutes. It becomes invalid when a retention (also a declared one) or a hold changes, and when
another run of the task is requested: it was given to other numbers. So it starts one run at most,
however often it is sent.

What can't be undone needs more than a press: its question names what has to be typed. Typing works by keys,
by touch and without JavaScript, and the server checks it, which it could not do with a button that is held.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django_htmx.http import reswap, retarget

from housekeeping import conf
from housekeeping.dashboard import wording
from housekeeping.dashboard.polls import HtmxHttpRequest
from housekeeping.database import clock
from housekeeping.declared import rules
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import TASKS, Task
from housekeeping.models import Run
from housekeeping.reading import ends, words
from housekeeping.reading.previews import impact
from housekeeping.reading.previews.impact import Impact

ANSWERED_WITHIN = timedelta(minutes=15)
SALT = "housekeeping.question"
DIALOG = "#asked"  # in base.html
# What the button that was pressed says about itself: the page to go to, and where the answer stands.
CARRIED = ("show", "beside")


@dataclass(frozen=True)
class Question:
    """``title``: what is asked. ``effects``: sentences about what happens then. ``facts``: names, each
    with a text. ``button``: the answer. ``fields``: names and values that are sent with it. ``problems``:
    sentences about policies that can't be counted. ``phrase``: what has to be typed; empty: nothing."""

    title: str
    effects: Sequence[str]
    button: str
    facts: Sequence[tuple[str, str]] = ()
    fields: Sequence[tuple[str, str]] = ()
    is_harmful: bool = True
    problems: Sequence[str] = ()
    phrase: str = ""


# --- What is asked ----------------------------------------------------------------------------


def before_task(task: Task) -> Question:
    """Before a run of ``task`` that may delete rows."""
    return _before(task.policies, (), _of_run(task), title=_run_now(task), name=task.name)


def before_plan(run: Run) -> Question:
    """Before a run that deletes the rows of a plan, and no others."""
    policies = _policies_of(run)
    kind, undo = ends.of_run(run), _undo_in_words(policies)
    effects = [ends.say(kind, "Deletes exactly the rows listed in this preview."), *undo]
    phrase = run.task if _lasting(policies) else ""
    return Question(_delete(kind, words.planned(run)), effects, ends.say(kind, "Delete them"), phrase=phrase)


def before_retries(runs: Sequence[Run], fields: Sequence[tuple[str, str]] = ()) -> Question:
    """Before ``runs`` are retried, some of which may delete rows."""
    plans = [run.plan_of for run in runs if run.plan_of]
    if len(runs) == len(plans) == 1:
        return before_plan(plans[0])
    again = {run.task for run in runs if may_delete(run) and not run.plan_of}
    tasks = [task for name, task in TASKS.items() if name in again]
    policies = [policy for task in tasks for policy in task.policies]
    effects = list(dict.fromkeys(effect for task in tasks for effect in _of_run(task)))
    title = gettext("Retry them now?")
    if len(runs) > 1:
        effects.insert(0, ngettext("Retries %(n)s run.", "Retries %(n)s runs.", len(runs)) % {"n": len(runs)})
    elif tasks:
        title = _run_now(tasks[0])
    of_tasks = again | {plan.task for plan in plans}
    name = of_tasks.pop() if len(of_tasks) == 1 else str(len(runs))
    return _before(policies, plans, effects, title=title, fields=fields, name=name)


def before_end_of_holds(undo: Run, holds: int) -> Question:
    """Before all ``holds`` of an undo are ended, which nobody can make again as one."""
    n = {"n": words.number(holds)}
    title = ngettext("End the hold on %(n)s row?", "End the holds on %(n)s rows?", holds) % n
    effects = [
        gettext("The next run may delete what the undo of “%(task)s” has put back.")
        % {"task": wording.title_of(undo.task)},
        gettext("It can't be undone: a hold would have to be made again for each row."),
    ]
    return Question(title, effects, gettext("End all"), phrase=str(holds))


def may_delete(run: Run) -> bool:
    """Could a retry of this run delete rows?"""
    task = TASKS.get(run.task)
    return task is not None and task.may_delete and not run.dry_run and not run.undo_of_id


def _before(
    policies: Sequence[Policy],
    plans: Sequence[Run],
    effects: Sequence[str],
    *,
    title: str,
    name: str,
    fields: Sequence[tuple[str, str]] = (),
) -> Question:
    """With numbers if rows can be counted in time. ``title``: what is asked if there are no rows.
    ``name``: what has to be typed if it can't be undone."""
    impacts = impact.of(policies)
    facts = [
        (one.policy.name, _in_words(one)) for one in impacts if one.rows != 0 or not one.policy.is_upkeep
    ]
    concerned = [*policies, *(policy for plan in plans for policy in _policies_of(plan))]
    kind = ends.of_policies(concerned)
    undo, phrase = _undo_in_words(concerned), name if _lasting(concerned) else ""
    counted = impact.together(impacts)
    if counted is None:
        title = ends.say(kind, "Delete everything that is eligible?")
        problems = [one.error for one in impacts if one.error]
        if any(one.tables is None and not one.error for one in impacts):
            effects = [gettext("The rows were not counted, because that takes too long."), *effects]
        button = ends.say(kind, "Delete everything eligible")
        return Question(title, [*effects, *undo], button, facts, fields, problems=problems, phrase=phrase)
    tables = sum((Counter(words.own_first(plan.plan_tables, plan.plan)) for plan in plans), Counter(counted))
    if not tables.total():
        nothing = [ends.say(kind, "Nothing is eligible for deletion at the moment.")] if impacts else []
        return Question(title, [*nothing, *effects], gettext("Run now"), facts, fields, is_harmful=False)
    is_upkeep = not plans and all(policy.is_upkeep for policy in policies)
    rows = words.rows(tables.total()) if is_upkeep else words.tables(tables)
    button = ends.say(kind, "Delete them")
    return Question(_delete(kind, rows), [*effects, *undo], button, facts, fields, phrase=phrase)


def _of_run(task: Task) -> list[str]:
    if task.policies:
        return [ends.say(ends.of_policies(task.policies), "The run deletes what is eligible when it starts.")]
    if task.can_be_previewed:
        return [gettext("The task does not declare what it deletes. A dry run shows it.")]
    return [gettext("This task has no dry run, so its effect can't be shown beforehand.")]


def _run_now(task: Task) -> str:
    return gettext("Run “%(task)s” now?") % {"task": wording.declared(task.title)}


def _delete(kind: str, rows: str) -> str:
    return ends.say(kind, "Delete %(rows)s?") % {"rows": rows}


def _in_words(one: Impact) -> str:
    rows = gettext("not counted") if one.rows is None else words.rows(one.rows)
    if one.policy.retention_by:
        return gettext("%(rows)s, older than their owner keeps them") % {"rows": rows}
    if one.retention_days is None and one.policy.counts_newer:
        return f"{rows}: {words.stays(one.policy)}"
    if one.retention_days is None:
        return gettext("%(rows)s, regardless of age") % {"rows": rows}
    age = words.days(one.retention_days)
    return gettext("%(rows)s, older than %(age)s") % {"rows": rows, "age": age}


def _policies_of(run: Run) -> tuple[Policy, ...]:
    task = TASKS.get(run.task)
    return task.policies if task else ()


def _lasting(policies: Sequence[Policy]) -> list[Policy]:
    """Those whose rows are not archived, so that their deletion can't be undone."""
    return [policy for policy in policies if policy.is_upkeep or not conf.UNDO_DAYS]


def _undo_in_words(policies: Sequence[Policy]) -> list[str]:
    lasting, days = _lasting(policies), conf.UNDO_DAYS
    if not policies:
        return []
    if len(lasting) == len(policies):
        return [gettext("It can't be undone.")]
    text = ngettext("It can be undone for %(n)s day.", "It can be undone for %(n)s days.", days) % {"n": days}
    if not lasting:
        return [text]
    names = ", ".join(dict.fromkeys(policy.name for policy in lasting))
    return [text, gettext("This can't be undone: %(policies)s.") % {"policies": names}]


# --- Asking, and the answer -------------------------------------------------------------------


def newest_run(tasks: Collection[str]) -> str:
    """The id of the newest run of any of ``tasks`` that is not a dry run; empty if there is none."""
    # A run that was requested while the clock was ahead would stay the newest, so leave it out.
    runs = Run.objects.filter(task__in=tasks, dry_run=False, requested_at__lte=clock.Now() + conf.ahead())
    runs = runs.newest_first()
    return str(runs.values_list("pk", flat=True).first() or "")


def is_answered(request: HttpRequest, *about: str) -> bool:
    """Does the request answer this question, is the answer still valid, and what had to be typed typed?"""
    phrase = _asked_to_type(request, *about)
    return phrase is not None and request.POST.get("typed", "").strip().casefold() == phrase.casefold()


def _asked_to_type(request: HttpRequest, *about: str) -> str | None:
    """What the question asked for; None if the request does not answer it, or no longer."""
    try:
        answer = signing.loads(request.POST.get("answer", ""), salt=SALT, max_age=ANSWERED_WITHIN)
    except signing.BadSignature:
        return None
    *subject, phrase = answer
    return str(phrase) if subject == _subject(request, *about) else None


def ask(
    request: HtmxHttpRequest, question: Question, *about: str, back: str, address: str = ""
) -> HttpResponse:
    """The question as a page, or for the dialog. Its form posts to ``address``, or to that of ``request``.

    ``about``: what else the answer depends on. ``back``: the page that "Go back" leads to.
    """
    is_answer = "answer" in request.POST
    is_mistyped = is_answer and _asked_to_type(request, *about) is not None
    is_outdated = is_answer and not is_mistyped
    is_dialog = bool(request.htmx)
    sent = request.POST or request.GET
    facts: dict[str, Any] = {
        "question": question,
        "carried": [(name, sent[name]) for name in CARRIED if name in sent],
        "answer": signing.dumps([*_subject(request, *about), question.phrase], salt=SALT),
        "address": address or request.path,
        "back": back,
        "place": _place(request) if is_dialog else "",
        "is_dialog": is_dialog,
        "is_outdated": is_outdated,
        "is_mistyped": is_mistyped,
        "typed": request.POST.get("typed", ""),
    }
    template = "_question.html" if is_dialog else "question.html"
    status = 409 if is_outdated else 422 if is_mistyped else 200
    answer = render(request, f"housekeeping/{template}", facts, status=status)
    return in_dialog(answer) if is_dialog else answer


def in_dialog(fragment: HttpResponse) -> HttpResponse:
    """Have htmx show the fragment in the page's dialog."""
    return reswap(retarget(fragment, DIALOG), "innerHTML")


def _subject(request: HttpRequest, *about: str) -> list[str]:
    # How long an undo is possible decides whether the question asked to type something.
    return [str(request.user.pk), request.path, rules.in_force(), str(conf.UNDO_DAYS), *about]


def _place(request: HtmxHttpRequest) -> str:
    """The part of the page below the dialog that is replaced afterwards; empty: go to another page."""
    path = (request.htmx.current_url_abs_path or "").partition("?")[0].rstrip("/")
    places = {"overview": "#overview", "runs": "#runs", "holds": "#holds"}
    return next(
        (at for name, at in places.items() if reverse(f"housekeeping:{name}").rstrip("/") == path), ""
    )
