"""Ordinary differential equations dx/dt = v(t, x): for flows that are solutions of one, and for samplers and likelihoods of diffusion models."""
