"""Works as services of their own: serving them, calling them, and checking whether anything that says so is one.

Imports `worker`, `runtimes` and what is below them; nothing of an app.
"""
