"""The SDKs that a driver is here for. Each driver runs in a process of its own, if the SDK is installed."""
