"""The command line: ``lightning-grpc``, also ``python -m lightning_grpc``.

What belongs here: parsing, calling and printing. Data goes to stdout, words go to stderr.
"""
