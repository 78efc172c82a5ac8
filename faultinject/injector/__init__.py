"""The one thing that changes: which rules are in force, where their counts live, and how processes keep in step."""
