"""The prediction service. Every bundle contains this package, so it imports little."""
