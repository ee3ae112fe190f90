"""Which rows are due: those past their age, those beyond a number, and the budget of a table."""
