"""The subscribers of one channel that hear differences in place of whole publications."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from libs.realtime.fossil import difference
from libs.realtime.line import Format, Line
from libs.realtime.protocol import Codec, Publication


class Deltas:
    """A subscriber's first publication is whole; each later one is told from the one before it."""

    __slots__ = ("_fresh", "_previous", "_primed")

    def __init__(self) -> None:
        self._fresh: dict[Format, dict[Line, None]] = {}
        self._primed: dict[Format, dict[Line, None]] = {}
        self._previous = b""

    def __len__(self) -> int:
        return sum(len(lines) for group in (self._fresh, self._primed) for lines in group.values())

    @property
    def empty(self) -> bool:
        """Whether nobody hears differences."""
        return not self._fresh and not self._primed

    def add(self, line: Line) -> None:
        """Let ``line`` hear a whole publication first."""
        self._fresh.setdefault(line.format, {})[line] = None

    def discard(self, line: Line) -> None:
        """Let ``line`` hear nothing more."""
        for group in (self._fresh, self._primed):
            lines = group.get(line.format)
            if lines is not None:
                lines.pop(line, None)
                if not lines:
                    del group[line.format]

    def shares(self, channel: str, due: Sequence[Publication]) -> Iterator[tuple[bytes, Iterable[Line]]]:
        """What is due, as it travels to each group; ``due`` is not empty."""
        patches = self._patches(due)
        for group, whole in ((self._primed, False), (self._fresh, True)):
            for line_format, lines in group.items():
                codec = line_format.codec
                messages = [
                    codec.push(channel, _told(codec, one, None if whole and number == 0 else patch))
                    for number, (one, patch) in enumerate(zip(due, patches, strict=True))
                ]
                yield line_format.frames(messages), list(lines)
        for line_format, lines in self._fresh.items():
            self._primed.setdefault(line_format, {}).update(lines)
        self._fresh.clear()
        self._previous = due[-1].data

    def _patches(self, due: Sequence[Publication]) -> list[bytes | None]:
        """The difference of each publication from the one before; None where there is none that is shorter."""
        sources = [self._previous, *(one.data for one in due)]
        return [difference(source, one.data) for source, one in zip(sources, due, strict=False)]


def whole(codec: Codec, publication: Publication) -> Publication:
    """A publication as a subscriber gets it that may also get differences."""
    return replace(publication, data=codec.text(publication.data))


def _told(codec: Codec, publication: Publication, patch: bytes | None) -> Publication:
    if patch is not None:
        try:
            return replace(publication, data=codec.text(patch), delta=True)
        except UnicodeDecodeError:  # JSON cannot carry a difference that cuts a character in two
            return whole(codec, publication)
    return whole(codec, publication)
