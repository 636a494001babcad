"""Benchmarks: each answers one question, beside a peer, in one run (see README.md)."""
