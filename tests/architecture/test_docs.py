"""The documents say what the code does."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import libs
from libs.domain.auth import EVENTS, RevocationReason, SecurityEvent
from libs.messaging import AppError
from libs.messaging import topology as wire
from libs.realtime import Namespace, codes
from tests.architecture.pages import CODE, DOCS, LINK, PAGES, anchors, prose, rows, section, text
from tests.architecture.tree import ROOT, name, sources


def broken(page: Path) -> Iterator[str]:
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or not found.is_relative_to(ROOT) or (anchor and anchor not in anchors(found)):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_every_page_can_be_reached_from_the_index() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        linked = {(page.parent / one.partition("#")[0]).resolve() for one in LINK.findall(prose(page))}
        waiting += [one for one in linked if one in PAGES and one not in seen]

    assert [name(page) for page in PAGES if page not in seen] == []


def test_every_decision_is_in_the_index_with_its_status() -> None:
    written = {
        page.name: (
            text(page).splitlines()[0].lstrip("# "),
            re.search(r"^Status: ([\w ]+)", text(page), re.MULTILINE),
        )
        for page in (DOCS / "adr").glob("[0-9]*.md")
    }
    listed = {
        link: (number, title, status)
        for number, title, status in rows(text(DOCS / "adr" / "README.md"))
        for link in LINK.findall(number)
    }

    assert listed.keys() == written.keys()
    for page, (number, title, status) in listed.items():
        heading, said = written[page]
        assert heading == f"{int(page[:4])}. {title}"
        assert number.startswith(f"[{int(page[:4])}]")
        assert said is not None
        assert said[1] == status


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(page.name[:4]) for page in (DOCS / "adr").glob("[0-9]*.md"))

    assert numbers == list(range(1, len(numbers) + 1))


def test_every_error_code_has_its_row() -> None:
    for module in pkgutil.walk_packages(libs.__path__, "libs."):
        importlib.import_module(module.name)
    known = {
        code: str(cls.status) for code, cls in AppError.known().items() if cls.__module__.startswith("libs.")
    }
    listed = {
        code[0]: row[1].split(" ")[0]
        for row in rows(text(DOCS / "reference" / "errors.md"))
        if (code := CODE.findall(row[0]))
    }

    assert listed == known


def test_every_event_of_identity_has_its_row() -> None:
    page = DOCS / "reference" / "events.md"
    told = {
        (CODE.findall(row[0])[0], CODE.findall(row[1])[0]) for row in rows(section(page, "## On the bus"))
    }
    written = [CODE.findall(row[0])[0] for row in rows(section(page, "## In the audit log"))]
    reasons = set(CODE.findall(section(page, "## In the audit log").partition("`reason` of ")[2]))

    assert told == {(event.name, event.payload.__name__) for event in EVENTS}
    assert written == list(get_args(SecurityEvent))
    assert set(get_args(RevocationReason)) <= reasons


def test_the_names_on_the_wire_are_those_of_the_topology() -> None:
    listed = {
        code
        for row in rows(section(DOCS / "reference" / "messaging.md", "## Names"))
        for code in CODE.findall(row[1])
    }
    named = {
        wire.RPC_EXCHANGE,
        wire.EVENTS_EXCHANGE,
        wire.DEAD_EXCHANGE,
        wire.REALTIME_STREAM,
        wire.rpc_queue("<service>"),
        wire.rpc_queue("<service>", "<lane>"),
        wire.event_queue("<service>"),
        wire.dead_queue("<service>"),
        wire.control_queue("<process>"),
    }

    assert listed == named


def test_the_close_codes_are_those_of_the_realtime_door() -> None:
    listed = [row[0] for row in rows(section(DOCS / "reference" / "realtime.md", "## Codes"))]
    spoken = "".join(text(path) for path in sources("libs/realtime") if path.name != "codes.py")
    sent = {
        str(one.code)
        for constant, one in vars(codes).items()
        if isinstance(one, codes.Disconnect) and re.search(rf"\b{constant}\b", spoken)
    }

    assert listed == sorted(sent)


def test_the_rules_of_a_namespace_are_all_told() -> None:
    table = section(DOCS / "reference" / "realtime.md", "## Channels").partition("As shipped:")[0]
    listed = {rule for row in rows(table) for rule in CODE.findall(row[0])}

    assert listed == Namespace.model_fields.keys()


def defined(path: Path) -> set[str]:
    """The names that a module binds at its top level, and the methods of its classes as `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(text(path)).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{one.name}" for one in node.body if hasattr(one, "name")}
        if isinstance(node, ast.Assign):
            names |= {one.id for one in node.targets if isinstance(one, ast.Name)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def test_the_map_of_concepts_leads_to_what_it_names() -> None:
    lost = []
    for concept, file, what in rows(section(DOCS / "architecture.md", "## Concepts and where they live")):
        path = ROOT / CODE.findall(file)[0]
        if not path.is_file():
            lost.append(f"{concept}: no {name(path)}")
        elif path.suffix == ".py":
            lost += [f"{concept}: {one}" for one in CODE.findall(what) if one not in defined(path)]

    assert lost == []


def test_the_layers_are_told_in_the_words_of_the_contracts() -> None:
    contract = (ROOT / ".importlinter").read_text(encoding="utf-8")
    layers = re.search(r"^layers =\n((?:    .+\n)+)", contract, re.MULTILINE)
    assert layers is not None

    told = re.findall(r"^\d+\. (.+?):", section(DOCS / "architecture.md", "## Layers"), re.MULTILINE)

    assert [" | ".join(CODE.findall(one)) for one in told] == [one.strip() for one in layers[1].splitlines()]
