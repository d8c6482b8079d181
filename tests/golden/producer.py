"""The example of docs/formats/wire.md, run as it stands, gives the bytes of transaction.bin."""
import os
import re
import sys
from pathlib import Path

source = Path(os.environ["FRESHET_SOURCE"])
page = (source / "docs/formats/wire.md").read_text(encoding="utf-8")
code = re.search(r"```python\n(.*?)```", page, re.S)
assert code is not None, "docs/formats/wire.md has no Python example"
namespace = {"__name__": "example"}
exec(code.group(1), namespace)
made = namespace["message"](
    42,
    [(1700000000000000, 4711, b"books", 950, b"ok"),
     (1700000000000001, 4712, b"", 120, b"declined")],
    producer=7, incarnation=1700000000, now_us=1700000000500000)
golden = (source / "tests/golden/messages/transaction.bin").read_bytes()
if made != golden:
    print(f"example: {made.hex()}\ngolden:  {golden.hex()}")
    sys.exit(1)
