"""The documents as the tests read them: pages, headings, tables, links and examples."""

import re
from functools import cache
from pathlib import Path

from tests.architecture.tree import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("benchmarks/*.md")])
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)
_ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return _FENCE.sub("", text(page))


def anchors(page: Path) -> set[str]:
    """The fragments that lead to the page's headings, made as the usual renderers make them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        unique = slug
        for number in range(1, 100):
            if unique not in found:
                break
            unique = f"{slug}-{number}"
        found.add(unique)
    return found


def examples(page: Path) -> list[str]:
    """The page's blocks of Python."""
    return re.findall(r"^```python\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)


def section(page: Path, heading: str) -> str:
    """What stands under a heading, down to the next one of its level."""
    level = heading.split(" ", 1)[0]
    body = text(page).split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^{level} ", body, maxsplit=1, flags=re.MULTILINE)[0]


def rows(table: str) -> list[list[str]]:
    """The cells of a Markdown table's rows, without its head."""
    cells = [[cell.strip() for cell in row.split("|")] for row in _ROW.findall(table)]
    return [row for row in cells[1:] if not set("".join(row)) <= set("-: ")]
