"""A card that torch cannot use is mentioned once, with the cure."""

import ctypes

import pytest
import torch
from helpers.networks import random_weights

from vsduf.engine import device, engine
from vsduf.errors import DeviceError
from vsduf.network import weights
from vsduf.network.duf import DufConfig


class Driver:
    """What NVIDIA's driver library answers."""

    def __init__(self, cards, ready=0):
        self.cards, self.ready = cards, ready

    def cuInit(self, _flags):
        return self.ready

    def cuDeviceGetCount(self, count):
        count._obj.value = self.cards
        return 0


@pytest.fixture
def driver(monkeypatch):
    def install(found, cuda="13.0", usable=False):
        def load(name):
            if found is None:
                raise OSError(name)
            return found

        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        return device.unusable_gpu.__wrapped__()

    return install


def test_a_torch_without_cuda_beside_a_card(driver):
    assert "built without CUDA, so the CPU computes; pip install" in driver(Driver(1), cuda=None)
    assert driver(Driver(2), cuda=None).startswith("2 NVIDIA cards are there")


def test_a_driver_too_old_for_torch(driver):
    assert "cannot use it, so the CPU computes; update the driver" in driver(Driver(1))
    assert "cannot use them" in driver(Driver(2))


@pytest.mark.parametrize("found", [None, Driver(0), Driver(1, ready=999)])
def test_no_card_no_word(driver, found):
    assert driver(found, cuda=None) is None


def test_a_card_in_use_is_not_mentioned(driver):
    assert driver(Driver(1), usable=True) is None


def test_a_torch_for_amd_has_no_cuda_devices(driver):
    assert driver(None, cuda=None, usable=True) is None
    assert device.choose_device(None, None) == device.DeviceChoice(device.CPU, False)
    assert device.names() == []
    with pytest.raises(DeviceError, match="built without CUDA"):
        device.choose_device(0, None)


def test_it_is_said_once_and_only_where_the_cpu_was_not_asked_for(monkeypatch, tmp_path):
    path, said = tmp_path / "x2.safetensors", []
    weights.save(path, random_weights(DufConfig(2, 6, 32, True)).state, {})
    monkeypatch.setattr(device, "unusable_gpu", lambda: "a card is there")
    monkeypatch.setattr(engine, "_warned", set())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device_id in (-1, None, None):
        engine.open_engine(path, 2, 16, 16, device_id=device_id, warn=said.append).close()
    assert said == ["a card is there"]
