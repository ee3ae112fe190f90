"""Plans kept the beginnings of titles and names of the rows that they named, long after those rows."""

from django.db import migrations

BATCH = 200  # plans that are held in memory, and written in one transaction


def strip(apps, schema_editor):
    runs = apps.get_model("housekeeping", "Run").objects.using(schema_editor.connection.alias)
    with_plan = runs.exclude(plan={}).order_by("pk").only("plan")
    last = None
    while batch := list((with_plan.filter(pk__gt=last) if last else with_plan)[:BATCH]):
        last = batch[-1].pk
        changed = [run for run in batch if _strip(run.plan)]
        runs.bulk_update(changed, ["plan"])


def _strip(plan):
    """Takes the words out of the plan. Was there any?"""
    found = False
    for facts in plan.values() if isinstance(plan, dict) else ():
        sample = facts.get("sample") if isinstance(facts, dict) else None
        for row in sample if isinstance(sample, list) else ():
            found |= isinstance(row, dict) and row.pop("text", None) is not None
    return found


class Migration(migrations.Migration):
    atomic = False  # one batch at a time

    dependencies = [("housekeeping", "0012_archive_digests")]

    operations = [migrations.RunPython(strip, migrations.RunPython.noop)]
