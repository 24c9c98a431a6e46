"""Data sets that are always there, a file each: made by a program, or shipped with a library."""
