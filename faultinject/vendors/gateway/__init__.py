"""Errors of a load balancer in front of the storage, in nginx's words."""
