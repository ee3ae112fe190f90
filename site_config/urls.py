"""All addresses of the site. A trailing slash in the API is optional."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth
from django.http import Http404
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views import defaults
from django.views.generic import RedirectView

from chat import token_views
from chat.sign_in.pages import of_admin
from chat.views import PasswordPage, verify_page
from housekeeping.api.description.views import docs
from housekeeping.dashboard.views import overview as dashboard
from site_config import description
from site_config.api import PREFIX

api: list[URLPattern | URLResolver] = [
    re_path(r"^token/?$", token_views.Obtain.as_view(), name="token"),
    re_path(r"^token/refresh/?$", token_views.Refresh.as_view(), name="token-refresh"),
    re_path(r"^token/blacklist/?$", token_views.Blacklist.as_view(), name="token-blacklist"),
    re_path(r"^schema/?$", description.Schema.as_view(), name="schema"),
    re_path(r"^docs/?$", docs, {"described": description.WHOLE}, name="docs"),
    path("admin/scheduler/", include("housekeeping.api.urls")),
    path("", include("chat.urls")),
]
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="dashboard"), name="home"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}icon.svg"), name="favicon"),
    # For people
    path("scheduler-admin", dashboard.overview, name="dashboard"),
    path("scheduler-admin/", include("housekeeping.urls")),
    path("", include("chat.sign_in.urls")),
    path("sign-out", auth.LogoutView.as_view(), name="logout"),
    path("password", PasswordPage.as_view(), name="password"),
    path("verify/<str:token>", verify_page, name="verify"),
    # Replaces Django's redirect from a row to its page on the site: no row has one, and a UUID breaks it.
    re_path(
        r"^admin/r/", admin.site.admin_view(defaults.page_not_found), {"exception": Http404()}, "admin-r"
    ),
    # Replaces Django's own page, which does not limit guesses at the old password.
    path(
        "admin/password_change/",
        admin.site.admin_view(RedirectView.as_view(pattern_name="password")),
        name="admin-password",
    ),
    path("admin/login/", of_admin, name="admin-login"),
    path("admin/", admin.site.urls),
    # For programs
    path(PREFIX.removeprefix("/"), include(api)),
    # For machines
    path("", include("housekeeping.monitoring.urls")),
]

handler400 = "site_config.errors.bad_request"
handler403 = "site_config.errors.permission_denied"
handler404 = "site_config.errors.not_found"
handler429 = "site_config.errors.too_many_sign_ins"  # by django-allauth
handler500 = "site_config.errors.server_error"
