"""`python -m faultinject.conformance MODULE:FACTORY`: a client in Python that keeps to the contract of `process`."""

from faultinject.conformance.contract import main

if __name__ == "__main__":
    main()
