"""Appends two lines to a log."""
# /// script
# dependencies = ["azure-storage-blob==12.31.1"]
# [tool.survey]
# vendor = "azure-blob"
# prepare = "curl -s -X PUT \"$ENDPOINT/account/lake?restype=container\""
# lost = "the log: a line stands twice"
# confirmed = "what the store held: 12 bytes where 8 were appended"
# ///

import os

from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobClient

credential = AzureNamedKeyCredential("account", "a2V5")
log = BlobClient(f"{os.environ['ENDPOINT']}/account", "lake", "log", credential=credential)
log.create_append_blob()
for line in (b"one\n", b"two\n"):
    log.append_block(line)
