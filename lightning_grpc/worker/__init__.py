"""The process that hosts one Work: it runs the user's code and serves its state.

What belongs here: what happens inside a Work's process. The main thread executes the user's ``run``
(runner); one thread with one asyncio loop takes cuts (publisher) and serves gRPC (service). How the
process came to be is the business of `lightning_grpc.runtimes`.
"""
