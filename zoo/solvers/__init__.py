"""Ordinary differential equations dx/dt = v(t, x), for continuous flows and diffusions' samplers and likelihoods."""
