"""How many models of public projects a policy may have: see __main__.py."""
