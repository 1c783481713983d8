"""Turns errors into the vs.Error that VapourSynth shows: one sentence that begins with the filter's name."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import vapoursynth as vs

from vsduf.errors import DufError


@contextlib.contextmanager
def as_filter_errors(where: str = "") -> Iterator[None]:
    """Turns DufError into vs.Error, "Upscale: sentence". where: goes before the sentence, such as "frame 7: "."""
    try:
        yield
    except DufError as error:
        raise vs.Error(f"Upscale: {where}{error}") from error


@contextlib.contextmanager
def as_frame_errors(n: int) -> Iterator[None]:
    """Turns every error met while frame n is made into vs.Error; the traceback of an unforeseen one is logged."""
    try:
        with as_filter_errors(f"frame {n}: "):
            yield
    except vs.Error:
        raise
    except (Exception, SystemExit) as error:
        vs.core.log_message(vs.MESSAGE_TYPE_DEBUG, traceback.format_exc())
        raise vs.Error(f"Upscale: frame {n}: {type(error).__name__}: {error}") from error


def or_sentence(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a function that VapourSynth calls: a vs.Error's text is returned instead of raised.

    VapourSynth shows the whole traceback of what a Python function raises; the native side turns a returned text into
    an ordinary filter error.
    """

    def call(**arguments: Any) -> Any:
        try:
            return function(**arguments)
        except vs.Error as error:
            return str(error)

    return call
