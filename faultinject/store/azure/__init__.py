"""Azure Blob Storage, as far as its SDK uploads, lists, copies and deletes blobs.

There are containers, block blobs, append blobs and leases. Every account is the same one, whatever its name and
credential. Snapshots, versions, tags, Set Blob Tier, page blobs, blobs of the container `$root` and batches that do not
delete are refused. The tier of a new blob is ignored.
"""
