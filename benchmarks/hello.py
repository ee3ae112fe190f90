"""The site's own settings and addresses, and one view beside them that does nothing."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from site_config.settings import *  # noqa: F403 - the site as it is

ROOT_URLCONF = "benchmarks.hello"


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world")


def __getattr__(name: str) -> object:
    # The addresses are looked up once the settings are there: this module is both.
    if name == "urlpatterns":
        from site_config.urls import urlpatterns

        return [path("hello", hello), *urlpatterns]
    raise AttributeError(name)
