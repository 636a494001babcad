"""What a user is told about missing programs."""

from libs.local import install_command


def test_the_command_installs_without_recommends() -> None:
    assert install_command(["postgresql", "redis-server"]).endswith("postgresql redis-server")
