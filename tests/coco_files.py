"""A tiny folder of captions and boxes in COCO's format, written by the test itself."""

import json
from pathlib import Path

import numpy as np

SAID = {
    1: ("A dog left of a cat.", "Two dogs!"),
    2: ("A traffic light, and a dog", "no dog"),
    3: ("nothing here",),
}
NAMES = {18: "dog", 17: "cat", 10: "traffic light"}
# Left, top, width, height in images of 80 x 40 pixels.
BOXES = [
    (1, 18, [0, 0, 40, 20]),
    (1, 17, [60, 20, 20, 20]),
    (2, 10, [41, 1, 2, 2]),
    (2, 18, [0, 0, 8, 8]),
    (2, 18, [20, 0, 8, 8]),
]


def write_part(folder: Path, part: str, side: int = 4) -> None:
    """Captions, boxes and features of three images; features are the numbers of their cells."""
    folder.mkdir(exist_ok=True)
    images = [
        {"id": number, "file_name": f"{number}.png", "width": 80, "height": 40} for number in SAID
    ]
    texts = [(number, text) for number, every in SAID.items() for text in every]
    spoken = [{"id": n, "image_id": of, "caption": text} for n, (of, text) in enumerate(texts)]
    write(folder / f"captions_{part}.json", {"images": images, "annotations": spoken})
    boxes = [{"image_id": of, "category_id": kind, "bbox": box} for of, kind, box in BOXES]
    names = [{"id": kind, "name": name} for kind, name in NAMES.items()]
    write(folder / f"instances_{part}.json", {"annotations": boxes, "categories": names})
    cells = np.arange(3 * side**2 * 2, dtype=np.float32).reshape(3, side**2, 2)
    np.savez(folder / f"features_{part}.npz", image_id=[3, 1, 2], features=cells)


def write(path: Path, whole: object) -> None:
    path.write_text(json.dumps(whole))


def change(path: Path, of: str, record: object) -> None:
    """Add a record to a list of a file."""
    whole = json.loads(path.read_text())
    whole[of].append(record)
    write(path, whole)
