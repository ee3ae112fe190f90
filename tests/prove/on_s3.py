"""The tests' settings, with files in a bucket of S3."""

import os

from tests.settings import *  # noqa: F403

STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": "files",
            "endpoint_url": os.environ["S3_URL"],
            "region_name": "eu-central-1",
            "access_key": "nobody",
            "secret_key": "nothing",
        },
    },
}
