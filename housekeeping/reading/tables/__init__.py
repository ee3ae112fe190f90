"""What grows: every table of the database, as a consumer has measured it, and a policy for it.

- ``measuring``: the consumer measures all tables once an hour and saves a row per table and day.
- ``known``: which model has which table, and which policies delete from it.
- ``listing``: the tables as every face shows them. It reads saved rows only.
- ``drafts``: "Write a policy for this".
"""
