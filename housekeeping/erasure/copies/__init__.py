"""The person in copies of rows: archives, which an undo needs, and exports. And the files that rows name."""
