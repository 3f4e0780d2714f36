"""The sweep engine: chunks computed anywhere, kept in one directory, resumed exactly.

What a kill may cost is tested by kills: `tests/engine/test_kills.py` (forty chunks, five kills),
`test_same_bits.py` (devices, processes, a cluster), `test_pulled_plugs.py` (full and read-only
disks, Ctrl-C, locks) and `test_failures.py` (a hundred bad runs of ten thousand).
"""
