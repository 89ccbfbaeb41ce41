"""State without I/O: values, deltas, cuts, logs and subscriptions.

What belongs here: what a value is, how two values differ, how one instant of a running component is
taken, how revisions are kept and how a subscriber follows them. Nothing here knows a component, a
thread, a socket or a clock; time and input come in as arguments.
"""
