"""How a run trains: the loop, the strategies of many devices, optimizers, selection, reports."""
