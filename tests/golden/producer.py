"""The examples of docs/formats/wire.md, run as they stand, give the bytes of transaction.bin, and
with a tag those of transaction_tagged.bin; the page shows that tag."""
import os
import re
import sys
from pathlib import Path

source = Path(os.environ["FRESHET_SOURCE"])
page = (source / "docs/formats/wire.md").read_text(encoding="utf-8")
examples = re.findall(r"```python\n(.*?)```", page, re.S)
assert len(examples) == 2, "docs/formats/wire.md has not two Python examples"
namespace = {"__name__": "example"}
for example in examples:
    exec(example, namespace)
made = namespace["message"](
    42,
    [(1700000000000000, 4711, b"books", 950, b"ok"),
     (1700000000000001, 4712, b"", 120, b"declined")],
    producer=7, incarnation=1700000000, now_us=1700000000500000)
tagged = namespace["tagged"](made, bytes(range(16)), 1)
for name, message in (("transaction.bin", made), ("transaction_tagged.bin", tagged)):
    golden = (source / "tests/golden/messages" / name).read_bytes()
    if message != golden:
        print(f"example: {message.hex()}\n{name}: {golden.hex()}")
        sys.exit(1)
if f"`{tagged[8:16].hex()}`" not in page or f"{len(tagged)} bytes" not in page:
    print(f"docs/formats/wire.md does not show the tag {tagged[8:16].hex()} of {len(tagged)} bytes")
    sys.exit(1)
