"""The JSON API, with the packages of the extra ``[api]``."""

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

if missing := [name for name in ("rest_framework", "drf_spectacular") if not find_spec(name)]:
    raise ImproperlyConfigured(
        f"The API of housekeeping needs {' and '.join(missing)}: pip install 'django-housekeeping[api]'."
    )
