"""Housekeeping for a Django site, on Huey."""

__version__ = "1.1.dev0"
