"""A run on disk: its configuration, folder, checkpoints and records, and the model that they make."""
