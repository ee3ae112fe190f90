"""The rows of the person, as far as they are known."""

Found = dict[str, set[str]]
"""The keys of the person's rows, by model, as holds write them; and their values in other columns that
foreign keys refer to, by model and column, as archives have them."""
