"""What zoo-sample draws."""
