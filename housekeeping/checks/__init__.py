"""The checks of ``manage.py check``, which find mistakes before the first run.

The docs list every message with its hint: docs/extensions/code.py reads them from these modules.
"""

from housekeeping.checks import addresses, declarations, policies, settings

__all__ = ["addresses", "declarations", "policies", "settings"]
