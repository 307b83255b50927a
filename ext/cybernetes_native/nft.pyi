from collections.abc import Sequence

SET: int
MAP: int
VERDICTS: int
RANGES: int
NEW_ELEMENTS: int
DELETE_ELEMENTS: int
LIST_BYTES_MAX: int

def encode(
    family: int,
    table: bytes,
    layout: Sequence[tuple[bytes, int, int, int]],
    runs: Sequence[tuple[int, int, int]],
    rows: bytes,
    reject_chain: bytes,
    sequence: int,
) -> bytes: ...
