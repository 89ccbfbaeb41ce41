"""What users write: Flows, Works, and structures of them, as plain Python objects.

What belongs here: attribute rules, names, the tree, calls and statuses, and the state they amount to.
Nothing here starts a process, opens a socket or reads a clock: a component asks its `Backend` for that,
and works without one, so that a Flow can be built and run in a doctest.
"""
