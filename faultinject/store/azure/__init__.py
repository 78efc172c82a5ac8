"""Azure Blob Storage: containers and block blobs, as far as its SDK uploads, lists, copies and deletes them.

Every account is the same one, whatever its name and credential. Leases, snapshots, versions, tags, the tiers Archive
and Smart, Set Blob Tier, page blobs and append blobs are refused.
"""
