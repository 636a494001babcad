"""What a reader of a stream may believe."""

from libs.realtime.reading import Reading, Verdict


def read(*positions: int) -> Reading:
    reading = Reading(60)
    for position in positions:
        reading.judge(position, f"id{position}")
    return reading


def test_starts_at_the_tail() -> None:
    reading = Reading(60)

    assert reading.attach() == 60
    assert reading.judge(7, "id7") is Verdict.FIRST
    assert reading.position == 7


def test_goes_on_while_positions_follow() -> None:
    assert read(7).judge(8, "id8") is Verdict.NEXT


def test_attaches_at_its_last_position_not_behind_it() -> None:
    reading = read(7, 8)

    assert reading.attach() == 8
    assert reading.checking


def test_goes_on_when_the_very_record_comes_first() -> None:
    reading = read(7, 8)
    reading.attach()

    assert reading.judge(8, "id8") is Verdict.KNOWN
    assert not reading.checking
    assert reading.judge(9, "id9") is Verdict.NEXT


def test_another_record_at_the_same_position_is_another_log() -> None:
    reading = read(7, 8)
    reading.attach()

    assert reading.judge(8, "other") is Verdict.LOST


def test_a_log_truncated_beyond_the_position_has_lost_records() -> None:
    reading = read(7, 8)
    reading.attach()

    assert reading.judge(20, "id20") is Verdict.LOST


def test_a_jump_is_looked_at() -> None:
    reading = read(7)

    assert reading.judge(9, "id9") is Verdict.JUMP
    assert reading.position == 7


def test_a_jump_over_a_segment_is_no_gap() -> None:
    reading = read(7)
    reading.judge(9, "id9")
    reading.attach()

    assert reading.judge(7, "id7") is Verdict.KNOWN
    assert reading.judge(9, "id9") is Verdict.NEXT
    assert reading.judge(11, "id11") is Verdict.JUMP


def test_what_a_chunk_holds_before_the_position_is_known() -> None:
    reading = read(7, 8)
    reading.attach()

    assert reading.judge(6, "id6") is Verdict.KNOWN
    assert reading.checking
