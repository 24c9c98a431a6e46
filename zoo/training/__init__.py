"""How a loss becomes an update.

`game`: a player's loss gives terms and gradients (`measure`), and a move of it changes weights, what follows and
averages (`Game.update`, with the optimizers of `adam` and the averages of `averaging`).
`fit`: Keras's `compile` and `fit` around that step. `execution`: several steps in one call of the graph. `feeding`: the
batches of what `fit` is given.
"""
