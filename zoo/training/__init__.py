"""How a loss becomes an update: the one pure step of a model's players, and Keras's fit around it."""
