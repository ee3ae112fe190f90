"""Thirty-three tasks, each with a schedule: with the site's own, forty."""

from housekeeping import Cron, scheduled, task


def declare(number):
    def chore():
        """Do one of many things that a site does each night."""
        return {}

    chore.__name__ = f"chore_{number}"
    named = task(chore.__name__)(chore)
    scheduled(f"chore_{number}", f"Chore {number}, each night", Cron(hour=number % 24, minute=0))(named)


for number in range(1, 34):
    declare(number)
