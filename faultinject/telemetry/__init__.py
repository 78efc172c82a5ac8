"""Metrics and traces of faults for Prometheus and OpenTelemetry, if the app asks for them."""
