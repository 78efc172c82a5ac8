"""Google Cloud Storage's JSON API: buckets and objects, as far as its SDK uploads, lists, copies and deletes them.

Every project is the same one, whatever its name and credential. Versions, access control, notifications and batches
are refused.
"""
