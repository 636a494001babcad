"""Imports: accounts of another system, from a file, with the hashes of their passwords."""

from libs.auth.imports.account_import import AccountImport, ImportReport, Trouble
from libs.auth.imports.files import FileUnreadable, Format

__all__ = ["AccountImport", "FileUnreadable", "Format", "ImportReport", "Trouble"]
