"""Google Cloud Storage's JSON API, as far as its SDK uploads, lists, copies and deletes.

There are buckets and objects. Every project is the same one, whatever its name and credential. No bucket has
versioning. Settings of buckets, access control, notifications, HMAC keys, soft deletion and batches are refused.
"""
