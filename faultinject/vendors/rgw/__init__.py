"""Ceph Object Gateway (RGW): its S3 dialect, and what its Swift dialect says otherwise."""
