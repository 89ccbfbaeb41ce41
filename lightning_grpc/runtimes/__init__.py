"""Runtimes: where Works are placed and how their processes start and end.

What belongs here: starting a process that serves a Work, telling when it is gone, and leaving none
behind. What is said to a Work once it serves is the business of `lightning_grpc.coordinator`.
"""
