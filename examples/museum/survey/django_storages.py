"""Saves an upload, and deletes an older one."""
# /// script
# dependencies = ["django-storages[s3]==1.14.6", "django==5.2.19"]
# [tool.survey]
# vendor = "s3"
# prepare = "curl -s -X PUT $ENDPOINT/lake; curl -s -X PUT -d old $ENDPOINT/lake/old"
# ///

import os

import django
from django.conf import settings
from django.core.files.base import ContentFile

settings.configure()
django.setup()
from storages.backends.s3 import S3Storage  # noqa: E402 - it reads the settings

keys = {"access_key": "id", "secret_key": "key", "region_name": "us-east-1", "addressing_style": "path"}
storage = S3Storage(bucket_name="lake", endpoint_url=os.environ["ENDPOINT"], **keys)
assert storage.save("avatar", ContentFile(b"a picture")) == "avatar"
storage.delete("old")
assert storage.open("avatar").read() == b"a picture"
