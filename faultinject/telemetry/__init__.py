"""What happens, told to what already watches the app: Prometheus and OpenTelemetry. Nothing is told unless somebody asks."""
