"""Checkpoints: an app's document, kept on disk revision by revision, and an app that goes on from there.

What belongs here: the file (`file`, `format`, `rows`), the threads that write it (`writer`, `aside`), what of a
document is set on a tree of components (`resume`), and what an app has to do with all that (`checkpoint`).
"""
