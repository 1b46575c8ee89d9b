"""params.yaml as validated models, paths and names."""
