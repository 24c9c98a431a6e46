"""The programs and what they are made of."""
