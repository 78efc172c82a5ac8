"""Google Cloud Storage's JSON API: buckets and objects, as far as its SDK uploads, lists, copies and deletes them.

Every project is the same one, whatever its name and credential. No bucket has versioning. Settings of buckets, access
control, notifications, HMAC keys, soft deletion and batches are refused.
"""
