"""What a user can get wrong, told in one sentence before anything starts.

A program catches `BadInput`, prints its sentence and exits with code 2: no traceback, nothing written.
"""


class BadInput(ValueError):
    """One sentence that names the flag or file, what was found, what is allowed, and the nearest right value where
    there is one."""
