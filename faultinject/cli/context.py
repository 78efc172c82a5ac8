"""What every command has in common."""

from __future__ import annotations

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Said of each command: click remembers the help option of one that is first called on its own."""
