"""From arrays to files that people look at, read or listen to."""
