"""A new password for somebody who has forgotten it: Django's pages, with the site's mails and limits."""

from typing import Any, cast

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext

from chat import accounts, mail
from chat.models import User
from site_config.errors import too_many_sign_ins


class ForgottenForm(PasswordResetForm):
    """Django's form, whose mail goes to the outbox. Only active accounts with a password get one."""

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        link = reverse("password-new", args=[context["uid"], context["token"]])
        hours = settings.PASSWORD_RESET_TIMEOUT // 3600
        facts = {"user": context["user"], "link": f"{settings.SITE_URL}{link}", "hours": hours}
        text = render_to_string("chat/forgotten_password_mail.txt", facts)
        mail.send(EmailMessage("Choose a new password", text, to=[to_email]))


class ForgottenPage(auth.PasswordResetView):
    """Answers the same whether or not the address has an account."""

    form_class = ForgottenForm
    template_name = "registration/forgotten.html"
    success_url = reverse_lazy("password-forgotten-sent")

    def post(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        address = request.POST.get("email", "").strip().casefold()
        if not ratelimit.consume(request, action="reset_password", key=address):
            return too_many_sign_ins(request)
        return super().post(request, *args, **options)


class SentPage(auth.PasswordResetDoneView):
    template_name = "registration/forgotten_sent.html"


class NewPage(auth.PasswordResetConfirmView):
    """Sets the password, and signs nobody in: that takes the second factor, too."""

    template_name = "registration/new_password.html"
    success_url = reverse_lazy("login")

    def form_valid(self, form: SetPasswordForm) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            accounts.password_changed(cast(User, form.user), self.request)
        messages.success(self.request, gettext("Your password has been changed. Sign in with it."))
        return answer
