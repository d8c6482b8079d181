"""The slow, obvious meaning of windows, for oracle.py: which events of an entity a window has at a
time, and what must be said about it. It shares no code with the product; the words are those of
docs/language.md. Times are microseconds, floored; of an entity they ascend."""

import bisect
import re

UNITS_US = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6,
            "d": 86400 * 10**6}
HOP_SHARE = 12
FROM_THE_BEGINNING = -(1 << 63)


def duration_us(text):
    number, unit = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)", str(text)).groups()
    return int(number) * UNITS_US[unit]


def floor_to(time_us, width_us):
    return time_us // width_us * width_us


def ceil_to(time_us, width_us):
    return -(-time_us // width_us) * width_us


class Window:
    """A window as a definition writes it."""

    def __init__(self, text, ladder_us):
        self.suffix = "" if text == "lifetime" else "_" + text.replace(" ", "_")
        words = text.split()
        self.width_us = self.step_us = self.hop_us = self.events = 0
        if words[-1] == "events":
            self.kind, self.events = "events", int(words[0])
        elif text == "lifetime":
            self.kind = "lifetime"
        else:
            self.kind = words[0] if len(words) > 1 else "sliding"
            self.width_us = duration_us(words[0] if self.kind == "sliding" else words[1])
            self.step_us = duration_us(words[3]) if self.kind == "hopping" else 0
        self.is_timed = self.kind in ("sliding", "tumbling", "hopping")
        self.reach_us = self.width_us + self.step_us
        if self.is_timed:
            self.hop_us = max([w for w in ladder_us[1:] if self.steps_by(w)] or [ladder_us[0]])

    def steps_by(self, level_us):
        aligned = self.width_us % level_us == 0 and self.step_us % level_us == 0
        return level_us * HOP_SHARE <= self.width_us and (self.kind == "sliding" or aligned)


class Ladder:
    """The tiles of a view: each width that some window steps by."""

    def __init__(self, windows, ladder_us):
        timed = [window for window in windows if window.is_timed]
        self.levels = [  # (width, the furthest that a window of it reaches back)
            (hop_us, max(w.reach_us for w in timed if w.hop_us == hop_us))
            for hop_us in sorted({window.hop_us for window in timed})] or [(ladder_us[0], 0)]
        self.finest_us = self.levels[0][0]

    def tile_us(self, time_us, fold_us):
        """Start of the tile that folding to a horizon (None: no folding) gives an event; None: it
        is in none any more."""
        for width_us, reach_us in self.levels:
            if fold_us is None or time_us >= floor_to(fold_us - reach_us, width_us):
                return floor_to(time_us, width_us)
        return None


class Span:
    """What a window has of an entity: events [first, end) by index."""

    def __init__(self, first, end, start_us, end_us, reaches_back=True, approximate=False):
        self.first, self.end = first, max(first, end)
        self.start_us, self.end_us = start_us, max(start_us, end_us)
        self.reaches_back, self.approximate = reaches_back, approximate


class Timeline:
    """The times of an entity's events, as the view shifts them, looked at from q."""

    def __init__(self, view, times, q_us):
        self.view, self.times, self.q_us = view, times, q_us
        self.end_us = q_us + view.extend_us
        self.cap_us = None  # Newest event that the cap pushed out.
        if view.exact_us and len(times) > view.raw_cap:
            self.cap_us = times[-view.raw_cap - 1]

    def count_before(self, time_us):
        return bisect.bisect_left(self.times, time_us)

    def end_of(self, end_us):
        """Where a window that should end there ends: the newest tile cannot be cut."""
        cut = self.view.exact_us and (self.cap_us is None or end_us > self.cap_us)
        if cut or self.times[-1] < end_us:
            return end_us
        return ceil_to(end_us, self.view.ladder.finest_us)

    def span(self, window):
        return {"lifetime": self.lifetime, "events": self.newest, "session": self.session}.get(
            window.kind, self.timed)(window)

    def lifetime(self, _):
        end_us = self.end_of(self.end_us)
        return Span(0, self.count_before(end_us), FROM_THE_BEGINNING, end_us, reaches_back=False)

    def newest(self, window):
        end_us = self.end_of(self.end_us)
        end = self.count_before(end_us)
        first = max(0, end - window.events)
        return Span(first, end, self.times[first] if first < end else end_us, end_us,
                    reaches_back=end < window.events)

    def timed(self, window):
        end_us, start_us = self.end_us, self.q_us - window.width_us
        if window.kind == "hopping":
            end_us = floor_to(self.q_us, window.step_us)
            start_us = end_us - window.width_us
        elif window.kind == "tumbling":
            start_us = floor_to(self.q_us, window.width_us)
        end_us = self.end_of(end_us)
        exact = window.reach_us <= self.view.exact_us
        whole = exact and (self.cap_us is None or start_us > self.cap_us)
        if not whole:
            start_us = floor_to(start_us, window.hop_us)
        return Span(self.count_before(start_us), self.count_before(end_us), start_us, end_us,
                    approximate=exact and not whole)

    def session(self, window):
        """From the newest event before the end, back and on until nothing is near."""
        gap_us, times = window.width_us, self.times
        last = self.count_before(self.end_us) - 1
        if last < 0:
            return Span(0, 0, self.end_us, self.end_us, reaches_back=False)
        first = last
        while first > 0 and times[first - 1] > times[first] - gap_us:
            first -= 1
        while last + 1 < len(times) and times[last + 1] < times[last] + gap_us:
            last += 1
        if self.end_us >= times[last] + gap_us:
            return Span(0, 0, self.end_us, self.end_us, reaches_back=False)
        uncut = times[last] >= self.end_us
        return Span(first, last + 1, times[first], times[last] + 1 if uncut else self.end_us,
                    approximate=uncut)
