"""The addresses of that project: the API is where the site that comes with the app has it."""

from django.urls import include, path

API = "/api/admin/scheduler/"

urlpatterns = [
    path("housekeeping/", include("housekeeping.urls")),
    path(API.removeprefix("/"), include("housekeeping.api.urls")),
]
