"""Settings in force as JSON."""

from housekeeping.reading import in_force
from housekeeping.reading.as_json.fields import AnyValue, Flag, Moment, Object, Text
from housekeeping.reading.in_force import InForce


class Setting(Object[InForce]):
    """A setting in force."""

    name = Text(help="As in settings.py; of a policy, retention and its name.")
    group = Text(choices=in_force.GROUPS)
    value = AnyValue(help="A number, a text or a list; null for a secret.")
    default = AnyValue(help="The app's; of a policy, its declared retention.")
    source = Text(choices=in_force.SOURCES, help="Where the value comes from.")
    variable = Text(nullable=True, help="The environment variable that the project reads it from.")
    meaning = Text()
    secret = Flag("is_secret", help="Its value is not shown.")
    set = Flag("is_set", help="Whether it has a value that is not empty.")
    problem = Text(nullable=True, help="Why the value can't be used.")
    policy = Text(nullable=True, help="The policy whose retention it is.")
    changed_by = Text(nullable=True)
    changed_at = Moment(nullable=True)
