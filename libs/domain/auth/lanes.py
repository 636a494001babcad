"""The lanes of auth_svc beside its main queue."""

HASHING = "hashing"
"""Whatever hashes a password waits here, so that a storm of logins never delays a refresh."""
