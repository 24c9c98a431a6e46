"""What the density estimators share."""
