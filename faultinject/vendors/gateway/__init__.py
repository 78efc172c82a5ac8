"""What a load balancer in front of the storage says, in nginx's words."""
