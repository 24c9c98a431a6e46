"""The reference of a model, as lists and tables cite it."""

from typing import NamedTuple


class Paper(NamedTuple):
    """A paper.

    authors: their surnames, in the paper's order.
    title, year: as they are cited.
    reference: where it is: `arXiv:1312.6114`, or where it appeared.
    """

    authors: tuple
    title: str
    year: int
    reference: str

    @property
    def arxiv(self):
        """The number on arXiv, such as `1312.6114`; None where the paper is not there."""
        return self.reference.removeprefix("arXiv:") if self.reference.startswith("arXiv:") else None

    @property
    def short(self):
        """As it is cited in a line: Kingma and Welling 2013, or Ho et al. 2020."""
        if len(self.authors) > 2:
            return f"{self.authors[0]} et al. {self.year}"
        return f"{' and '.join(self.authors)} {self.year}"
