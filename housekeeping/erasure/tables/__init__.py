"""The person in tables of the site and of housekeeping."""
