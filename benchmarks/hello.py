"""The settings and addresses of the site, and in addition a view that does nothing."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from site_config.settings import *  # noqa: F403 - the site as it is

ROOT_URLCONF = "benchmarks.hello"


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world")


def __getattr__(name: str) -> object:
    # This module is the settings and the URLconf. The addresses can be imported only after the settings.
    if name == "urlpatterns":
        from site_config.urls import urlpatterns

        return [path("hello", hello), *urlpatterns]
    raise AttributeError(name)
