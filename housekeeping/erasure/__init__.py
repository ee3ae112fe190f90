"""Erase one person for good: the rows that belong to the account, and what else tells of it.

Guarantees:

- Nothing changes before it is certain that everything can go: a table that can't be purged, a held or a
  protected row, or a damaged archive stops an erasure, with the reason.
- Rows are deleted by the cascade of a purge (``engine.removal``), lowest first, in short transactions. No
  archive is made of them.
- It may be killed at any moment. What is done stays done, and the next attempt finishes the rest: whom to
  look for, and the keys of the rows, are stored before the first row goes.
- A purge beside it keeps no copy. Archives are rewritten once no row is left in its table, and a purge
  commits a copy together with the deletion. An undo beside it may put rows back, and a preview may list
  them meanwhile. So an erasure goes over everything again, until a pass has found nothing.
- Files go last, once no row of the person is left to name them. A file that another row names stays.
- ``on_deleted`` of policies is called with the keys of their rows before the erasure is finished, at least
  once.
- Other rows of the site do not change. In housekeeping's own rows, the pseudonym takes the place of the
  person's names.

The modules: ``people`` (whom), ``obstacles`` (what stops it), ``terms`` (the texts to look for), ``columns``
(what each column of the app may hold), ``found`` (what is known of the rows), ``rows``, ``archives``,
``records`` and ``files`` (where it looks), ``work`` (the order), ``certificate``, ``requests`` (how it
begins).
"""
