"""The benchmarks and their tables."""
