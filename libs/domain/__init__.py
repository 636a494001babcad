"""The contracts of all services: what this lists, the gateway serves."""

# ruff: file-ignore[non-empty-init-module]  # the list of contracts is this package's whole point

from libs.domain.auth import contract as auth

_CONTRACTS = (auth,)

OPERATIONS = tuple(operation for contract in _CONTRACTS for operation in contract.OPERATIONS)
EVENTS = tuple(event for contract in _CONTRACTS for event in contract.EVENTS)

__all__ = ["EVENTS", "OPERATIONS"]
