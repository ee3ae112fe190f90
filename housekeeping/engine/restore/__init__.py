"""Put back what a purge removed.

Guarantees:

- Rows come back as the database stored them, with every column and key.
- An undo works in batches, the newest first, each in one short transaction: whole rows of the policy
  with all rows below them. The rows, their holds and their count are committed together with the
  deletion of their archives, so a kill at any moment neither loses nor duplicates a row.
- Before the first row, ``preflight.py`` checks everything that can be known: that all archives are
  intact (``verification.py``), that their tables and columns exist, and that the undo window is open.
- A row comes back only if its key and its unique values are free, and the rows that it refers to exist.
  Otherwise it stays in its archive until that expires, for another try.
- No row is attached to a stranger, which is a row that has taken the key of one that is not back. The
  keys in a damaged archive are unknown. Then a row that refers to its table comes back only together
  with a row that an undo has put back.
- Memory is bounded by a batch of the purge.
"""

from housekeeping.engine.restore.preflight import check_window, complete
from housekeeping.engine.restore.progress import Restored
from housekeeping.engine.restore.undo import Undo

__all__ = ["Restored", "Undo", "check_window", "complete"]
