"""Configuration: params.yaml, and YAML files parsed into strict records."""
