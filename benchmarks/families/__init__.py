"""What families of refresh tokens promise, as scenes that can be played at any size against a running auth service."""
