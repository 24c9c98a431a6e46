"""Programs that train, evaluate, sample and export the zoo's models."""

import os

# before TensorFlow is imported: its notes on the machine are no news to a user
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
