"""Ceph Object Gateway (RGW): its S3 dialect, and the differences of its Swift dialect."""
