"""What can go wrong with a private service, each said in one sentence a user can act on.

LocalError
+-- MissingProgramError   a program is not installed
+-- AlreadyRunningError   another process owns the state
+-- NotReadyError         a service ended or stayed silent while it started
"""


class LocalError(Exception):
    """A private service cannot be had."""


class MissingProgramError(LocalError):
    """A program that a private service needs is not installed."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"the program {program} is not installed (Debian package {package})")
        self.program = program
        self.package = package


class AlreadyRunningError(LocalError):
    """Another process runs services on the same state."""


class NotReadyError(LocalError):
    """A private service ended, or did not answer in time, while it started."""
