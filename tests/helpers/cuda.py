"""Engines on a CUDA device, emulated or real."""

import numpy as np
import pytest
import torch

from vsduf.engine import device, engine
from vsduf.network import weights


class Choice(device.DeviceChoice):
    """The CUDA device that a test runs on; the CPU, which plays one, in emulation."""

    place = torch.device("cpu")

    @property
    def device(self):
        return self.place


def choose(monkeypatch, place):
    """Has `open_engine` open the CUDA backend on `place`, in single precision unless asked for half."""
    monkeypatch.setattr(Choice, "place", place)
    monkeypatch.setattr(device, "choose_device", lambda _id, fp16, _name: Choice("cuda", 0, bool(fp16)))


def opened(tmp_path, content, source, **arguments):
    """The engine for a clip, from a weights file."""
    weights.save(tmp_path / "a.safetensors", content.state, content.metadata, np.float32)
    height, width = source.shape[2:]
    arguments = {"warn": pytest.fail, "scale": content.config.scale, **arguments}
    return engine.open_engine(tmp_path / "a.safetensors", width=width, height=height, **arguments)
