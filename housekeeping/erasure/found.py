"""The rows of the person, as far as they are known."""

from collections.abc import Iterator

Found = dict[str, set[str]]
"""The keys of the person's rows, by model, as holds write them; and their values in other columns that
foreign keys refer to, by model and column, as archives have them."""


def while_growing(found: Found) -> Iterator[None]:
    """Once, and again as long as more is known than before."""
    size = -1
    while size != (size := sum(map(len, found.values()))):
        yield
