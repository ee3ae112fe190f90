"""Huey's face: the only code that knows it.

- ``huey.py``      the Huey we run on: signed messages, a storage by HUEY_URL
- ``consumer.py``  ``run_huey``: heartbeat, graceful stop, a scheduler that looks on the second
- ``tasks.py``     the Huey tasks: ``execute_run``, and one periodic task per schedule
"""
