"""Metrics of samples and likelihoods."""
