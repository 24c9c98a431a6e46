"""Programs that train, evaluate, sample and export the zoo's models."""
