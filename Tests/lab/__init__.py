"""What the tests in namespaces and in the wire lab have in common: namespaces, daemons, and awaiting what they say.

Nothing here sleeps and hopes: every wait is for an event and has a deadline, and whatever was made is undone by its
finalizer, also when a test fails or is interrupted.
"""
