"""How people sign in: password, second factor, and the question for either of them before a harmful act.

django-allauth does the work; this room fits it to the site (docs/explanation/decisions/0018). Its own pages
to register, to confirm addresses and to sign in are not included: each is a door that the site does not need.
"""
