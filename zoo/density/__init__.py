"""Density estimators: fitted to the whole training set, in one go or by expectation maximisation."""
