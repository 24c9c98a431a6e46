"""What every model must do, and what the tree must keep."""
