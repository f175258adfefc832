"""What people configure: params.yaml, and YAML files read as strict records."""
