"""Free loopback ports, held for those who are to listen there."""

import random
import socket
from pathlib import Path

_LOWEST = 15_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def hold_free_port(among: range | None = None) -> socket.socket:
    """A socket bound to a free TCP port of 127.0.0.1; unless said among which, below the range of outgoing connections.

    Until it is closed nobody else is given the port, also before its server listens and between a stop and a start.
    A server that sets SO_REUSEADDR or SO_REUSEPORT, as servers do, can listen beside it, since it never listens itself.

    Inside the range of outgoing connections a client that keeps dialling a stopped server could be given the server's
    own port as its source, and then talk to itself. OSError when no port is free.
    """
    ports = among or range(_LOWEST, _first_ephemeral())
    for port in random.SystemRandom().sample(ports, k=len(ports)):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", port))  # fails also where somebody only holds it
        except OSError:
            holder.close()
            continue
        return _shared(holder)
    raise OSError(f"no free port between {ports.start} and {ports.stop - 1}")


def hold(port: int) -> socket.socket | None:
    """As `hold_free_port`, for this port; None when somebody listens there."""
    if not is_free(port):
        return None
    holder = _shared(socket.socket())
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        return None
    return holder


def port_of(holder: socket.socket) -> int:
    """The port that is held."""
    return int(holder.getsockname()[1])


def free_port() -> int:
    """A port that was free a moment ago, for who binds it at once."""
    with hold_free_port() as holder:
        return port_of(holder)


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

    Whoever looks whether the port is free finds it taken, also before the children listen and while one restarts. Of two
    who come at the same time one gets it.
    """
    holder = socket.socket(_family(host))
    try:
        holder.bind((host, port))  # alone: whoever allowed others would be let in beside another holder
    except OSError:
        holder.close()
        return _reserve_beside_lingering(port, host)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return holder


def _reserve_beside_lingering(port: int, host: str) -> socket.socket | None:
    """Hold a port on which nothing is left but connections of our earlier servers, in TIME_WAIT."""
    if not is_free(port, host):
        return None
    holder = socket.socket(_family(host))
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        holder.bind((host, port))
    except OSError:
        holder.close()
        return None
    return holder


def _shared(holder: socket.socket) -> socket.socket:
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return holder


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _first_ephemeral() -> int:
    try:
        return int(_EPHEMERAL.read_text("ascii").split()[0])
    except (OSError, ValueError):
        return 32_768  # what Linux ships with
