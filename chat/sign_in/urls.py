"""The addresses of signing in and of one's account. The names with a prefix are django-allauth's own."""

from allauth.mfa.base.views import authenticate, index
from allauth.mfa.recovery_codes.views import generate_recovery_codes, view_recovery_codes
from allauth.mfa.totp.views import activate_totp, deactivate_totp
from allauth.mfa.webauthn.views import add_webauthn, remove_webauthn
from allauth.usersessions.views import list_usersessions
from django.urls import path

from chat.sign_in.confirmation import confirmed
from chat.sign_in.forgotten import ForgottenPage, NewPage, SentPage
from chat.sign_in.pages import SignInPage, by_passkey

urlpatterns = [
    path("sign-in", SignInPage.as_view(), name="login"),
    path("sign-in", SignInPage.as_view(), name="account_login"),
    path("sign-in/code", authenticate, name="mfa_authenticate"),
    path("sign-in/passkey", by_passkey, name="mfa_login_webauthn"),
    path("password/forgotten", ForgottenPage.as_view(), name="password-forgotten"),
    path("password/forgotten/sent", SentPage.as_view(), name="password-forgotten-sent"),
    path("password/new/<uidb64>/<token>", NewPage.as_view(), name="password-new"),
    path("account", index, name="mfa_index"),
    path("account", index, name="mfa_list_webauthn"),
    path("account/app", confirmed(activate_totp), name="mfa_activate_totp"),
    path("account/app/remove", confirmed(deactivate_totp), name="mfa_deactivate_totp"),
    path("account/passkeys/add", confirmed(add_webauthn), name="mfa_add_webauthn"),
    path("account/passkeys/<int:pk>/remove", confirmed(remove_webauthn), name="mfa_remove_webauthn"),
    path("account/sessions", confirmed(list_usersessions), name="usersessions_list"),
    path("account/codes", confirmed(view_recovery_codes), name="mfa_view_recovery_codes"),
    path("account/codes/new", confirmed(generate_recovery_codes), name="mfa_generate_recovery_codes"),
]
