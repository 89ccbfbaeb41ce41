"""The coordinator: mirrors every Work's state and drives the root Flow.

What belongs here: `mirror` and `tick` decide, without I/O, what follows from what has happened; `loop`
carries that out on the thread that called ``run``; `supervisor` talks to the Works on a thread of its own.
"""
