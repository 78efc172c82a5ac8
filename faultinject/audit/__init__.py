"""What is read of the journal; nothing here is on a request's path but the appending of a line."""
