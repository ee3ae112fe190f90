from contextlib import nullcontext

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import include, path


def number_of_users(request):
    with _profiled("count"):
        return HttpResponse(User.objects.count())


def _profiled(name):
    if not apps.is_installed("silk"):
        return nullcontext()
    from silk.profiling.profiler import silk_profile

    return silk_profile(name=name)


urlpatterns = [
    path("admin/", admin.site.urls),
    path("users/", number_of_users),
    path("housekeeping/", include("housekeeping.urls")),
]
