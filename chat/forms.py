"""Forms for accounts: for their owner to change the password, and for administrators."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from chat import accounts, sign_ins


class AccountForm(UserChangeForm):
    """Django's form, but an account can't be activated without a mail address of its own."""

    def clean(self) -> dict[str, Any]:
        facts: dict[str, Any] = super().clean() or self.cleaned_data
        if facts.get("is_active") and accounts.is_nowhere(facts.get("email", "")):
            # It would count as verified with the stand-in address, and its link would no longer work.
            text = _(
                "This registration waits for the mail address of another account, and can't be activated"
                " before its owner opens the mailed link, or you enter another mail address."
            )
            raise ValidationError({"is_active": text})
        return facts


class PasswordForm(PasswordChangeForm):
    """Django's form, but a wrong old password counts as a failed sign-in.

    Someone who has stolen a session must not be able to guess the password without limit.
    """

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    @sensitive_variables("old_password")
    def clean_old_password(self) -> str:
        old_password: str = self.cleaned_data["old_password"]
        name = self.user.get_username()
        if authenticate(self.request, username=name, password=old_password) != self.user:
            code = "password_incorrect"
            raise ValidationError(self.error_messages[code], code=code)
        sign_ins.forget_failures(self.request, name)
        return old_password
