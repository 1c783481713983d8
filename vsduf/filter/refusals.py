"""Converts errors to the vs.Error that VapourSynth shows: one sentence that begins with the filter's name."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import vapoursynth as vs

from vsduf.errors import DufError


@contextlib.contextmanager
def as_filter_errors(where: str = "") -> Iterator[None]:
    """Converts DufError to vs.Error, "Upscale: sentence". where: put before the sentence, such as "frame 7: "."""
    try:
        yield
    except DufError as error:
        raise vs.Error(f"Upscale: {where}{error}") from error


@contextlib.contextmanager
def as_frame_errors(n: int) -> Iterator[None]:
    """Converts every error that is raised while frame n is made to vs.Error; logs an unexpected error's traceback.

    SystemExit and KeyboardInterrupt too: on VapourSynth's threads they would end the process without a message.
    """
    try:
        with as_filter_errors(f"frame {n}: "):
            yield
    except vs.Error:
        raise
    except BaseException as error:
        vs.core.log_message(vs.MESSAGE_TYPE_DEBUG, traceback.format_exc())
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise vs.Error(f"Upscale: frame {n}: {text}") from error


def or_sentence(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a function that VapourSynth calls: the text of a vs.Error is returned instead of raised.

    VapourSynth would show the traceback of an exception; the native plugin makes a filter error of a returned text.
    """

    def call(**arguments: Any) -> Any:
        try:
            return function(**arguments)
        except vs.Error as error:
            return str(error)

    return call
