"""A running app as those outside see it.

What belongs here: what may be asked of a running app (`running_app`), how that is served over gRPC, where running
apps are registered so that clients find them, and the client. What it needs of the coordinator is to have
something done between two runs of the root, and the stream of the app's document.
"""
