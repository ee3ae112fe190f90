"""What ``manage.py check`` says, so that mistakes show before the first run.

The docs list every message with its hint: docs/extensions/code.py reads them from these modules.
"""

from housekeeping.checks import addresses, declarations, settings

__all__ = ["addresses", "declarations", "settings"]
