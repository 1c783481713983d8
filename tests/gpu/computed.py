"""Figures that were computed for some cards before anybody measured: rows of the table that measured ones are held to.

By practical rates: for the H200 650 TFLOP/s of products, 480 of convolutions and 4.4 TB/s. Frames a second are those of
the device, without the host's part.
"""

from __future__ import annotations

ROWS = [
    "16 layers streaming 270p", "52 layers streaming 270p", "dynamic_filter", "3x3, 256 -> 256, by rule",
]  # fmt: skip
CARDS = {  # part of the device's name: the rows' figures; None where nothing was computed
    "H200": [758, 300, 48, 319],
    "H100": [661, None, 50, 332],
    "RTX 4090": [185, None, 133, 1223],
    "RTX 4060": [37, 15, 481, 6949],
    "RTX 3060": [32, 14, 366, 8493],
}


def figures(name: str) -> dict[str, float]:
    """Returns the computed figures of a device by row; none for a card that is not in the list."""
    for card, values in CARDS.items():
        if card in name:
            return {row: value for row, value in zip(ROWS, values, strict=True) if value is not None}
    return {}
