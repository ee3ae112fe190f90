"""Exports: copies of rows in files of a storage, for years, written before the rows go.

Guarantees:

- A row goes only after the files with it, and with all rows that go with it, were written to the storage
  and read back from there with the same digest.
- It goes only as it was exported: each batch reads its rows again, locked, and spares those that have
  changed since, or that have got other rows below them. A batch is rolled back if more rows have gone with
  it than were read.
- No request to the storage is made inside a transaction.
- Each row that is gone is in an export. A crash between the files and the purge may leave rows in two of
  them: those that were not deleted yet are exported again. An import takes such a row once.

An export is a folder: a file for each table, and ``manifest.json``, which names them with their digests.
"""

from housekeeping.engine.exports.exporting import Exported, Exporting, Source, summary
from housekeeping.engine.exports.storing import problems

__all__ = ["Exported", "Exporting", "Source", "problems", "summary"]
