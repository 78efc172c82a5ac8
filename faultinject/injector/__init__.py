"""The state that changes: the rules in force, the store of counts, the sync of processes."""
