"""Azure Blob Storage: containers, block blobs and append blobs, as far as its SDK uploads, lists, copies and deletes them.

Every account is the same one, whatever its name and credential. Leases, snapshots, versions, tags, Set Blob Tier, page
blobs, blobs of the container `$root` and batches that do not delete are refused. The tier of a new blob is ignored.
"""
