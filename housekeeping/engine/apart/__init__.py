"""Rows in another database than our bookkeeping: how a batch becomes a part of both."""
