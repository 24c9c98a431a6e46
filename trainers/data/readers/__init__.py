"""A file for each kind of data that is read."""
