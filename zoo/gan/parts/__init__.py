"""What GANs share."""
