"""Persistent messages through a durable queue: each published with a confirm, each consumed with an ack, each counted."""
