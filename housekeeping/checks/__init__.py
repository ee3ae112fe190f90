"""What ``manage.py check`` says, so that mistakes show before the first run.

docs/operations.md lists every id with what to do about it.
"""

from housekeeping.checks import addresses, declarations, settings

__all__ = ["addresses", "declarations", "settings"]
