"""Tells how the fields of a film belong together: progressive, interlaced or telecined, and which field is first.

A frame that is combed was woven from fields of two moments. Weaving its top field with the bottom field of the frame
before, of the frame itself, and of the frame after shows which of them belong together:

    progressive              only the frame itself is smooth
    telecined                of five frames three are smooth, two become smooth with a neighbour's field
    interlaced, top first    the frame itself and the frame before are alike, the frame after is more combed
    interlaced, bottom first the frame itself and the frame after are alike, the frame before is more combed

Fields that a frame's neighbour repeats show nothing, and neither do frames without motion: they are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.float32]
"""[H, W] in levels of 255; H is even."""

COMBED = 9.0  # levels by which a line differs from both of its neighbours where it is combed
DIFFERENT = 5.0  # levels by which the fields of two pictures differ in the blocks that change most
BLOCK = 16
MOVING = 0.004  # least combing, as a share of the pixels of the worst blocks, that counts as motion
CLEAR = 2.0  # a weave that is so many times less combed belongs together
CADENCE = 5  # frames


@dataclass(frozen=True)
class Fields:
    """How fields belong together. kind: "progressive", "interlaced", "telecine" or "hybrid".

    top_first: whether the top field is shown first, None for progressive film. moving: frames with motion that were
    looked at. progressive, matched, interlaced: the shares of them that are smooth as they are, that become smooth with
    a neighbour's field, and that no weave makes smooth.
    """

    kind: str
    top_first: bool | None
    moving: int
    progressive: float
    matched: float
    interlaced: float


def combing(top: Luma, bottom: Luma) -> float:
    """Returns how combed the weave of two fields is: the share of combed pixels in the worst hundredth of its blocks.

    top, bottom: [H / 2, W] each.
    """
    woven = np.empty((2 * len(top), top.shape[1]), np.float32)
    woven[0::2], woven[1::2] = top, bottom
    above, below = woven[1:-1] - woven[:-2], woven[1:-1] - woven[2:]
    combed = (np.minimum(above, below) > COMBED) | (np.maximum(above, below) < -COMBED)
    return _worst(combed)


def differs(a: Luma, b: Luma) -> bool:
    """Tells whether two fields of one kind show different pictures: more than noise and compression change them."""
    return _worst(np.abs(a - b)) > DIFFERENT


def _apart(top: Luma, bottom: Luma) -> float:
    """Returns the mean difference of two fields, the top one interpolated at the bottom one's lines."""
    return float(np.abs((top[:-1] + top[1:]) / 2 - bottom[:-1]).mean())


def _worst(values: NDArray[Any]) -> float:
    """Returns the mean of the hundredth of the 16x16 blocks that has the largest means."""
    rows, columns = (side // BLOCK for side in values.shape)
    if not rows or not columns:
        return float(values.mean())
    blocks = values[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean((1, 3)).ravel()
    worst = max(1, len(blocks) // 100)
    return float(np.partition(blocks, -worst)[-worst:].mean())


def classify(groups: Sequence[Sequence[Luma]]) -> Fields:
    """Tells how fields belong together, from groups of consecutive frames spread over a film."""
    votes, orders, telecined = Counter[str](), Counter[bool](), 0
    for group in groups:
        kinds, order = _kinds(group)
        votes.update(kind for kind in kinds if kind != "still")
        orders.update(order)
        telecined += _has_cadence(kinds)
    moving = sum(votes.values())
    progressive, matched, interlaced = (votes[k] / max(1, moving) for k in ("progressive", "matched", "interlaced"))
    kind = "progressive"
    if matched > 0.1 and telecined:
        kind = "hybrid" if interlaced > 0.15 else "telecine"
    elif interlaced + matched > 0.25:
        kind = "hybrid" if progressive > 0.4 else "interlaced"
    top_first = None if kind == "progressive" else orders[True] >= orders[False]
    return Fields(kind, top_first, moving, progressive, matched, interlaced)


def _kinds(group: Sequence[Luma]) -> tuple[list[str], Counter[bool]]:
    """Returns the kind of each inner frame of a group, and votes for the top field being first."""
    tops, bottoms = [frame[0::2] for frame in group], [frame[1::2] for frame in group]
    kinds: list[str] = []
    order: Counter[bool] = Counter()
    for n in range(1, len(group) - 1):
        own = combing(tops[n], bottoms[n])
        before, after = (
            combing(tops[n], bottoms[k]) if differs(bottoms[k], bottoms[n]) else None for k in (n - 1, n + 1)
        )
        kinds.append(_kind(before, own, after))
        if kinds[-1] in ("matched", "interlaced"):
            near, far = (_apart(tops[n], bottoms[k]) for k in (n - 1, n + 1))
            order[near < far] += max(near, far) > 1.05 * min(near, far)
    return kinds, order


def _kind(before: float | None, own: float, after: float | None) -> str:
    """Returns the kind of a frame by the combing of its weaves, None where a neighbour's field shows the same."""
    others = [weave for weave in (before, after) if weave is not None]
    if not others or max(own, *others) < MOVING:
        return "still"
    if own * CLEAR < min(others):
        return "progressive"
    if min(others) * CLEAR < own:
        return "matched"
    return "interlaced" if len(others) == 2 and min(own, *others) > 2 * MOVING else "still"


def _has_cadence(kinds: Sequence[str]) -> bool:
    """Tells whether two of every five frames are matched, always the same two."""
    if len(kinds) < 2 * CADENCE:
        return False
    counts = [Counter(kinds[k::CADENCE]) for k in range(CADENCE)]
    matched = sorted(c["matched"] / max(1, c["matched"] + c["progressive"] + c["interlaced"]) for c in counts)
    return matched[-2] > 0.6 and matched[-3] < 0.4
