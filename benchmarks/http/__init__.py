"""HTTP at one core: a server's CPU per request, and the load that makes it work."""
