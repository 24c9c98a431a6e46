"""What the autoregressive models share."""
