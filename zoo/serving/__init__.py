"""What an exported model is: its signatures, its SavedModel, and the check of both."""
