"""The form by which somebody changes the own password."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from chat import sign_ins


class PasswordForm(PasswordChangeForm):
    """As Django's own; but the old password is watched over like one at the sign-in, and counts
    together with those: who has only stolen a session must not guess at it without an end."""

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
