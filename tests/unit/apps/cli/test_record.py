"""What `status --json` prints."""

from apps.cli.record import Part, RunRecord


def test_every_part_has_its_url_and_gatehouses_own_processes_their_number() -> None:
    record = RunRecord(
        pid=1,
        ready=True,
        parts={
            "gateway": Part(url="http://127.0.0.1:8000", pid=2, operations="http://127.0.0.1:8001"),
            "gateway-2": Part(url="http://127.0.0.1:8000", pid=3, operations="http://127.0.0.1:8002"),
            "auth_svc": Part(url="http://127.0.0.1:8003", pid=4, operations="http://127.0.0.1:8003"),
            "postgres": Part(url="postgresql://app:secret@127.0.0.1:5432/gatehouse"),
            "rabbitmq": Part(url="amqp://gatehouse:secret@127.0.0.1:5672/gatehouse"),
            "redis": Part(url="redis://:secret@127.0.0.1:6379/0"),
        },
    )

    assert record.as_json() == {
        "gateway": {"url": "http://127.0.0.1:8000", "pid": 2},
        "auth_svc": {"url": "http://127.0.0.1:8003", "pid": 4},
        "postgres": {"url": "postgresql://app:secret@127.0.0.1:5432/gatehouse"},
        "rabbitmq": {"url": "amqp://gatehouse:secret@127.0.0.1:5672/gatehouse"},
        "redis": {"url": "redis://:secret@127.0.0.1:6379/0"},
    }
