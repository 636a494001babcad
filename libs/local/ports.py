"""Free loopback ports that the kernel hands to nobody else."""

import random
import socket
from pathlib import Path

_LOWEST = 15_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A free TCP port on 127.0.0.1, below the range of outgoing connections.

    Inside that range a client that keeps dialling a stopped server can be given the server's own port as its source,
    and then talks to itself; and any other program may take the port between a stop and a start.
    """
    ports = range(_LOWEST, _first_ephemeral())
    for port in random.SystemRandom().sample(ports, k=len(ports)):
        if is_free(port):
            return port
    raise OSError(f"no free port between {ports.start} and {ports.stop - 1}")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket(_family(host)) as probe:
        # As servers do: connections of an earlier server that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def reserve(port: int, host: str = "127.0.0.1") -> socket.socket | None:
    """Hold a free port, without listening, for children that share it (SO_REUSEPORT); None when it cannot be held.

    Whoever looks whether the port is free finds it taken, also before the children listen and while one restarts.
    """
    holder = socket.socket(_family(host))
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        holder.bind((host, port))
    except OSError:
        holder.close()
        return None
    return holder


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _first_ephemeral() -> int:
    try:
        return int(_EPHEMERAL.read_text("ascii").split()[0])
    except (OSError, ValueError):
        return 32_768  # what Linux ships with
