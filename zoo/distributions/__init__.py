"""Likelihoods of pixels as TensorFlow Probability distributions."""
