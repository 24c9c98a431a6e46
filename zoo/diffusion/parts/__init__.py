"""What diffusion models share."""
