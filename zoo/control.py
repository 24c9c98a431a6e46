"""A control: what a user turns when drawing, declared once by the model; flags, signatures, cards, range checks and
tests follow from it.
"""

from typing import NamedTuple

import tensorflow as tf


class Control(NamedTuple):
    """A number, or one for each row.

    default, low, high: numbers (whole ones, if `low` is an int), or the name of a model's attribute that holds one.
    meaning: in words. unit: of the number. of: the methods that take it, as a keyword.
    """

    default: float | int | str
    low: float | int
    high: float | int | str
    meaning: str
    unit: str = "none"
    of: tuple = ("sample",)

    @property
    def dtype(self):
        """int32 or float32."""
        return tf.int32 if isinstance(self.low, int) else tf.float32

    def resolved(self, model):
        """Returns the control with numbers in the place of the names of the model's attributes."""
        def number(value):
            return getattr(model, value) if isinstance(value, str) else value

        return self._replace(default=number(self.default), high=number(self.high))
