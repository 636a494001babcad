"""One event to many WebSocket clients: what it costs the server, and who got it when."""
