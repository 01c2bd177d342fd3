"""The parity suite: one log through every engine, and the same bytes out of each. ``latecomer parity`` runs it.

``logs`` is what a log is and how many become one, ``drawing`` makes them, ``expected`` says what has to come out.
``engines`` runs what is shipped in its ``surroundings``, ``suite`` compares, ``shrinking`` makes a difference small,
``report`` tells it.
"""
