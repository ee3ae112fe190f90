"""Put back what a purge removed.

What it promises:

- Rows come back as the database stored them, every column and key.
- An undo goes in batches, the newest first, each in one short transaction: whole rows of the policy
  with all that hangs from them. What is back, its holds and the count of it are committed together
  with the deletion of its archives: a kill at any moment loses and doubles nothing.
- Before the first row, everything that can be known is checked for all archives: that they are what
  was written (``verification.py``), that their tables and columns are there, the undo window.
- A row comes back only if its key and its unique values are free, and what it refers to is
  there. One that can't come back stays in the archive until that expires, for another try.
- Nothing is attached to a stranger: to a row that has taken the key of one that is not back. Where
  an archive is damaged, its keys are not known. Then what refers to its table comes back only with a
  row that an undo has put back.
- Memory is bounded by a batch of the purge.
"""

from housekeeping.engine.restore.insertion import Restored
from housekeeping.engine.restore.undo import Undo, check_window

__all__ = ["Restored", "Undo", "check_window"]
