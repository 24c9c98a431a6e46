"""The scale on which examples of different domains compare: every entry on [0, 1] where it has a range."""


def span(domain):
    """Finds the (low, high) of an example's entries, or None for the real line."""
    return domain.range if domain.kind == "real" else (0, domain.levels - 1)


def unit(x, domain):
    """Scales examples so that every entry is on [0, 1], where there is a range."""
    limits = span(domain)
    if limits is None:
        return x
    return (x - float(limits[0])) / float(limits[1] - limits[0])
