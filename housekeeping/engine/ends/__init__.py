"""Ends: what becomes of the rows of a policy that have expired. Each has a file of its own."""

from housekeeping.database import chosen
from housekeeping.declared.policies import Policy
from housekeeping.engine import exports
from housekeeping.engine.ends import values
from housekeeping.engine.ends.anonymise import Anonymise
from housekeeping.engine.ends.base import End, Work
from housekeeping.engine.ends.delete import Delete
from housekeeping.exceptions import EndRefused

__all__ = ["End", "Work", "check", "of", "problems"]


def of(policy: Policy) -> End:
    """The end that the policy declares."""
    return Anonymise(policy, policy.anonymises) if policy.anonymises else Delete(policy)


def problems(policy: Policy) -> list[str]:
    """Why its end can't be carried out, whatever its rows are."""
    if not policy.anonymises:
        return []
    with chosen.on(policy.database):
        return list(values.problems(policy, policy.anonymises))


def check(policy: Policy) -> None:
    """Raises EndRefused for the first of the :func:`problems`: `manage.py check` is not run everywhere."""
    for problem in [*problems(policy), *exports.problems(policy)]:
        raise EndRefused(policy.name, problem)
