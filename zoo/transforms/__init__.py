"""Invertible maps with log-determinants: flows are made of them, and VAEs have them in posteriors and priors."""
