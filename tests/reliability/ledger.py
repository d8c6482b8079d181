"""What stands outside the appliance and knows what it owes: every event that was sent, and which of
them were acknowledged. Counts and sums per key; a value that is read must lie between the two.

    acked <= value <= sent                   while messages are under way
    acked == value == sent                   once everything is durable
    acked <= value <= acked + abandoned      what a producer gave up: durable or not, never twice
"""

import collections

STREAMS = """
streams:
  payment:
    id: 1
    version: 1
    time: ts
    lateness: 1h
    fields:
      ts:     {type: timestamp}
      card:   {type: u64}
      shop:   {type: u64}
      amount: {type: u64}
views:
  card:
    version: 1
    entity: card
    source: payment
    windows: [6h]
    aggregates:
      n: count()
      s: sum(amount)
    ttl: 2d
  shop:
    version: 1
    entity: shop
    source: payment
    windows: [6h]
    aggregates:
      n: count()
      s: sum(amount)
    ttl: 2d
"""
EVENT_BYTES = 32


class Ledger:
    """Accounts by key ("card:17"): [count, sum]."""

    def __init__(self):
        self.sent = collections.defaultdict(lambda: [0, 0])
        self.acked = collections.defaultdict(lambda: [0, 0])
        self.abandoned = collections.defaultdict(lambda: [0, 0])
        self.acked_events = 0
        self.lost = self.twice = 0  # Events that a read showed to be so.
        self.reads = 0

    @staticmethod
    def book(account, event):
        card, shop, amount = event
        for key in (f"card:{card}", f"shop:{shop}"):
            account[key][0] += 1
            account[key][1] += amount

    def take_sent(self, event, time_us=0):  # pylint: disable=unused-argument
        self.book(self.sent, event)

    def take_acked(self, events):
        for event in events:
            self.book(self.acked, event)
        self.acked_events += len(events)

    def take_abandoned(self, events):
        for event in events:
            self.book(self.abandoned, event)

    def copy_acked(self):
        """What must be there from now on, however little is sent on."""
        return {key: tuple(account) for key, account in self.acked.items()}

    def read(self, redis):
        """(count, sum) of every key that was sent."""
        keys = list(self.sent)
        for key in keys:
            view = key.split(":")[0]
            redis.send("HMGET", key, f"{view}.n_6h", f"{view}.s_6h")
        self.reads += len(keys)
        return {key: tuple(int(value or 0) for value in redis.read()) for key in keys}

    def short_of(self, values, owed):
        """Keys that lack something acknowledged: (key, owed, read)."""
        return [(key, account, values[key]) for key, account in owed.items()
                if values[key][0] < account[0] or values[key][1] < account[1]]

    def beyond(self, values):
        """Keys that have more than was ever sent."""
        return [(key, tuple(self.sent[key]), value) for key, value in values.items()
                if value[0] > self.sent[key][0] or value[1] > self.sent[key][1]]

    def unequal(self, values, only):
        """Keys that are not what was sent, less or more by what was given up; once all of the
        others is durable."""
        wrong = []
        for key, value in values.items():
            if not only(key):
                continue
            sent, abandoned = self.sent[key], self.abandoned[key]
            low = (sent[0] - abandoned[0], sent[1] - abandoned[1])
            if not (low[0] <= value[0] <= sent[0] and low[1] <= value[1] <= sent[1]):
                wrong.append((key, low, tuple(sent), value))
        return wrong
