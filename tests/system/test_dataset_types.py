#!/usr/bin/env python3
"""Made-up events of every field type through the real process equal the oracle: extreme values,
nulls, times on edges, ties between producers."""

import dataset

EVENTS = 4000
PRODUCERS = 3
BASE_US = dataset.utc_us(2020, 2, 29, 23, 50)
SPAN_US = 30 * 60 * 10**6
BOUNDS = {"u8": (0, 254), "u16": (0, 2**16 - 2), "u32": (0, 2**32 - 2), "u64": (0, 2**64 - 2),
          "i8": (-127, 127), "i16": (1 - 2**15, 2**15 - 1), "i32": (1 - 2**31, 2**31 - 1),
          "i64": (1 - 2**63, 2**63 - 1), "bool": (0, 1), "decimal": (1 - 2**63, 2**63 - 1)}


def value_of(source, field):
    """Decoded form and what goes over the wire."""
    if field.optional and source.random() < 0.2:
        return None, None
    if field.type == "string":
        text = "".join(source.choice("ab\u00e9|%") for _ in range(source.randrange(1, 5)))
        text = text.encode()[:field.size].decode(errors="ignore")
        return text, text
    if field.type == "f64":
        real = source.choice([source.uniform(-1000, 1000), source.randrange(-50, 50) / 8, 1e12 / 3,
                              source.randrange(-9, 9) * 0.5 / 10**field.scale, -0.0, 0.125, 0.375])
        return dataset.oracle.quantise(real, field.scale), real
    low, high = BOUNDS[field.type]
    value = source.choice([low, high, max(low, min(high, source.randrange(-5, 6))),
                           source.randint(low, high)])
    return value, value


def time_of(source):
    time_us = BASE_US + source.randrange(SPAN_US)
    step_us = source.choice([1, 5 * 10**6, 60 * 10**6, 300 * 10**6])
    return time_us // step_us * step_us + (source.randrange(-1, 2) if step_us > 1 else 0)


def messages_of(source, stream):
    messages = []
    for number in range(EVENTS // 10):
        decoded, wire = [], []
        for _ in range(10):
            time_us, key = time_of(source), source.choice([-7, 0, 1, 2**31 - 1])
            pairs = [(time_us, time_us), (key, key)]
            pairs += [value_of(source, field) for field in stream.fields[2:]]
            decoded.append(tuple(pair[0] for pair in pairs))
            wire.append(tuple(pair[1] for pair in pairs))
        # Producers number alike: at one time, only the value decides which event is the last.
        messages.append((decoded, wire, number // PRODUCERS + 1, number % PRODUCERS))
    return messages


def run(shards):
    source = dataset.seed_of(30)
    path, definition = dataset.definition("types")
    stream = definition.streams["sample"]
    assert path.exists()
    model = dataset.oracle.Oracle(definition)
    messages = messages_of(source, stream)
    with dataset.started("types", shards=shards) as appliance:
        redis, sender = dataset.opened(appliance)
        source.shuffle(messages)
        for decoded, wire, sequence, producer in messages:
            message = dataset.oracle.Message(stream, decoded, sequence, producer)
            packed = dataset.oracle.Message(stream, wire, sequence, producer)
            sender.send(dataset.client.pack_message(stream, packed), len(wire))
            model.receive([message], dataset.time.time_ns() // 1000)
        sender.sync()
        times = [time_of(source) for _ in range(40)]
        times += [BASE_US + 10 * 60 * 10**6, BASE_US + 2 * SPAN_US, None]
        dataset.all_check(redis, model, times)


if __name__ == "__main__":
    for count in (1, 3):
        run(count)
