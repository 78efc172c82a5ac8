"""`python -m faultinject` is the command `faultinject`."""

from __future__ import annotations

from faultinject.cli import main

if __name__ == "__main__":
    main()
