"""What a chunk needs is what was predicted: memory in fresh processes, files byte by byte."""

import json
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from commands import ENVIRONMENT
from small_sweeps import tiny

from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.cost.memory import RowBytes, bytes_of_chunk, bytes_of_file, in_words
from jaxattn.run.chunk import compute, runners_of
from jaxattn.study.parse import parse_spec
from jaxattn.study.spec_hash import spec_json

ROW = RowBytes(shared=1000, own=10, outputs=100, labelled=100, labelling=5, kept=0)


def test_bytes_of_a_chunk_are_those_of_its_largest_state():
    # 6 tiles of 4 rows: data on the host and the device, outputs, two tiles at work.
    large = replace(ROW, shared=4000)
    running = 4000 + 2 * 240 + 2400 + 2 * 5000
    found = bytes_of_chunk(large, 4, 6, temporary=5000, at_once=2)
    assert found.process == running
    assert found.device == running - 240
    # Outputs beside what they are stacked into, and what two tiles worked in; or beside the file.
    assert bytes_of_chunk(ROW, 4, 6, temporary=5000, at_once=2).process == 2 * 2400 + 2 * 5000
    assert bytes_of_chunk(ROW, 4, 6).process == 2 * 2400


def test_devices_share_the_rows_and_each_has_the_shared_data():
    one = bytes_of_chunk(ROW, 4, 6, on_host=False)
    two = bytes_of_chunk(ROW, 4, 6, devices=2, on_host=False)
    assert one.device == 1000 + 24 * 110
    assert two.device == 1000 + 12 * 110
    assert one.process == one.host == two.host


def test_more_rows_never_need_less():
    sizes = [bytes_of_chunk(ROW, 4, tiles).process for tiles in range(1, 40)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("count", "words"), [(512, "512 B"), (1536, "1.5 KiB"), (3 << 30, "3 GiB"), (0, "0 B")]
)
def test_bytes_are_said_in_words(count, words):
    assert in_words(count) == words


def test_the_file_of_a_chunk_has_the_bytes_that_were_predicted():
    sweep = choose_layout(parse_spec(tiny(paradigms='["soft"]', layout="tile = 2\nchunk = 6")))
    runner = runners_of(sweep)[0]
    content = compute(spec_json(sweep.spec), [runner.fingerprint], 0).content
    assert bytes_of_file(runner, 6) == pytest.approx(len(content), rel=0.02)


SHAPES = {
    "large outputs": """
        [task]
        name = "orthogonal"
        train = 32
        test = 32
        points = 32
        segments = 500
        classes = 3
        [model]
        start = "normal"
        [settings]
        steps = 80
        saves = 81
        batch_size = 1
        evaluate = 4
        [output]
        measures = ["attention_shown"]
        [axes]
        paradigm = ["soft"]
        seed = { count = 96 }
        [layout]
        tile = 16
        chunk = 96
        """,
    "large data that varies": """
        [task]
        name = "orthogonal-population"
        classes = 128
        segments = 32
        [settings]
        steps = 2
        saves = 2
        batch_size = 16
        [output]
        measures = ["loss"]
        [axes]
        paradigm = ["soft"]
        seed = { count = 32 }
        [layout]
        tile = 4
        chunk = 32
        """,
    "large temporaries": """
        [task]
        name = "digits"
        segments = 16
        [settings]
        steps = 2
        saves = 2
        evaluate = 512
        [output]
        measures = ["loss"]
        [axes]
        paradigm = ["soft"]
        seed = { count = 32 }
        [layout]
        tile = 8
        chunk = 32
        """,
}

PROGRAM = """
    import json, sys
    import jax, numpy as np
    jax.config.update("jax_enable_x64", True)
    from jaxattn.run.chunk import compute, remembered
    from jaxattn.run.heap import trim_memory
    from jaxattn.engine.cost.layout import choose_layout
    from jaxattn.engine.cost.memory import bytes_of_chunk, row_bytes, working_bytes
    from jaxattn.run.job import tiles_at_once
    from jaxattn.run.tiles import wait
    from jaxattn.study.parse import parse_spec
    from jaxattn.study.spec_hash import spec_json

    def resident(key):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key)) * 1024

    text = spec_json(choose_layout(parse_spec(sys.argv[1])).spec)
    sweep, runners = remembered(text)
    runner, plan = runners[0], runners[0].plan
    programs = [runner.fingerprint]
    each = row_bytes(runner)
    working = working_bytes(runner, each.outputs)
    # A tile beside the chunk's own: what JAX makes only once is made.
    wait(runner.job.run(*runner.arguments(np.zeros((1, plan.tile), dtype=int))))
    devices = jax.local_devices()
    predicted = bytes_of_chunk(
        each,
        plan.tile,
        plan.tiles_per_chunk,
        temporary=working,
        devices=len(devices),
        at_once=tiles_at_once(devices),
    )
    trim_memory()
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = resident("VmRSS")
    compute(text, programs, 0)
    print(json.dumps({"predicted": predicted.process, "grown": resident("VmHWM") - before}))
    """


@pytest.mark.default_xla
@pytest.mark.slow
@pytest.mark.needs_x64
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_process_grows_as_predicted(shape):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), textwrap.dedent(SHAPES[shape])],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["predicted"] >= 100 * 2**20
    assert np.isclose(found["grown"], found["predicted"], rtol=0.25, atol=0), found
