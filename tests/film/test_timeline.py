"""When frames are shown: constant rates seen through rounding, all else kept as it is."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsduf.errors import MediaError
from vsduf.film.timeline import constant, from_timestamps, interpolated

RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(60000, 1001)]
TICKS = [Fraction(1, 1000), Fraction(1, 90000), Fraction(1, 16000), Fraction(1001, 24000)]
MS = Fraction(1, 1000)


@given(st.sampled_from(RATES), st.sampled_from(TICKS[:3]), st.integers(2, 5000), st.integers(-500, 90_000), st.data())
def test_a_constant_rate_is_found_through_the_rounding_of_the_container(rate, tick, length, first, data):
    nominal = data.draw(st.sampled_from([rate, Fraction(0), rate * Fraction(1001, 1000), Fraction(15)]))
    stamps = [round(first + n / rate / tick) for n in range(length)]
    times = from_timestamps(stamps, tick, nominal)
    assert times.constant
    if length > 100:  # in a shorter film a nearby rate may explain the rounded stamps as well
        assert times.rate == rate
    assert all(abs(times.time(n) - stamps[n] * tick * 10**9) <= 2e6 for n in (0, length // 2, length - 1))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 2), Fraction(-23, 1000), Fraction(7, 90000)])
def test_constant_frames_are_whole_ticks_of_exact_length(rate, start):
    times = constant(rate, 1000, start)
    assert {(b - a) * times.tick for a, b in pairwise(times.stamps)} == {1 / rate}
    assert abs(times.stamps[0] * times.tick - start) <= Fraction(1, 2 * 90000)
    assert times.tick == 1 / rate or start


def test_frames_dropped_from_a_recording_leave_their_gaps():
    stamps = [n * 40 for n in range(100) if n % 7]
    times = from_timestamps(stamps, MS, Fraction(25))
    assert not times.constant
    assert [times.time(n) for n in range(len(stamps))] == [stamp * 10**6 for stamp in stamps]


def test_repeated_timestamps_move_on_and_a_clock_that_jumps_back_is_refused():
    assert list(from_timestamps([0, 40, 40, 40, 160, 500], MS, Fraction(25)).stamps) == [0, 40, 41, 42, 160, 500]
    with pytest.raises(MediaError, match=r"jump back by 5\.0 s at frame 2"):
        from_timestamps([5000, 5040, 40], MS, Fraction(25))


def test_unknown_timestamps_lie_evenly_between_their_neighbours():
    assert interpolated([-1, 40, -1, -1, 160, 200, -1, -1], -1) == [0, 40, 80, 120, 160, 200, 240, 280]
    assert interpolated([7, -1], -1) == [7, 8]
    assert interpolated([3, 9], -1) == [3, 9]


def test_the_lead_makes_every_time_positive():
    for start, lead in ((-40, 1), (-1000, 2), (-1040, 2), (0, 0), (40, 0)):
        assert from_timestamps([start, start + 40], MS, Fraction(25)).lead == lead


def test_the_last_frame_lasts_as_long_as_frames_do():
    assert constant(Fraction(25), 3).time(3) == 120_000_000
    assert from_timestamps([0], MS, Fraction(0)).time(1) == 40_000_000


def test_soft_telecine_is_a_steady_film():
    fields, stamps = [2, 3] * 40, [0]
    for n in fields:
        stamps.append(stamps[-1] + n * 1001)
    for tick in (Fraction(1, 60000), Fraction(1, 90000), MS):
        times = from_timestamps([round(stamp / 60000 / tick) for stamp in stamps], tick, Fraction(30000, 1001))
        assert (times.rate, times.constant) == (Fraction(24000, 1001), True)
    uneven = [0, *(n * 1001 for n in (2, 4, 7, 9, 11, 14))]
    assert not from_timestamps(uneven, Fraction(1, 60000), Fraction(30000, 1001)).constant


@pytest.mark.parametrize(
    ("rate", "stated", "duration", "plausible"),
    [
        (25, 25, 4, True),
        (90000, 25, 4, False),
        (90000, 25, 0, False),
        (240, 30, Fraction(100, 240), True),
        (240, 30, 3, False),
        (5, 60, 20, True),
        (90000, 0, 4, False),
        (25, 0, 4, True),
    ],
)
def test_a_rate_that_cannot_be_is_seen(rate, stated, duration, plausible):
    assert constant(Fraction(rate), 100).plausible(Fraction(stated), Fraction(duration)) == plausible


def test_a_lone_timestamp_stands_among_frames_of_the_stated_rate():
    assert interpolated([-1, -1, 7200, -1], -1, Fraction(3600)) == [0, 3600, 7200, 10800]
