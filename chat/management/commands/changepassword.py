"""Django's command. Here, a changed password is also an act on record and a mail to the owner."""

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword

from chat import accounts
from chat.models import User


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        said = super().handle(*args, **options)  # raises unless the password has been changed
        name = options["username"] or getpass.getuser()
        accounts.password_set_by_command(User.objects.using(options["database"]).get(username=name))
        return said
