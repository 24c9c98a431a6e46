"""What the latent-variable models share."""
