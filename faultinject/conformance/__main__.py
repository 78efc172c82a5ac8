"""Starts a client in Python: `python -m faultinject.conformance MODULE:FACTORY`.

It follows the contract of `process`.
"""

from faultinject.conformance.contract import main

if __name__ == "__main__":
    main()
