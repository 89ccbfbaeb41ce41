"""A running app over HTTP.

What belongs here: where the server listens (`binding`), its thread and its life (`server`), who is let in (`guard`,
`doorkeeper`), the routes that every app has (`face`) and those that its Flows declare (`handlers`), the stream of
deltas (`follower`), and how values are written in JSON (`rendering`). What is asked of the app goes through
`lightning_grpc.service.running_app`. FastAPI and uvicorn are imported on the server's thread only.
"""
