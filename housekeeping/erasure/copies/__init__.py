"""The person in copies of rows: archives, which an undo needs."""
