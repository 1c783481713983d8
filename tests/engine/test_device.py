"""Which device and precision are chosen; cards that cannot be used are mentioned once, with the remedy."""

import ctypes
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from helpers.networks import random_weights

from vsduf.engine import device, engine, torch_build, torch_devices
from vsduf.engine.device import DeviceChoice, choose_device
from vsduf.errors import DeviceError
from vsduf.network import weights
from vsduf.network.duf import DufConfig


class Driver:
    """NVIDIA's driver library, with so many cards."""

    def __init__(self, cards, ready=0):
        self.cards, self.ready = cards, ready

    def cuInit(self, _flags):
        return self.ready

    def cuDeviceGetCount(self, count):
        count._obj.value = self.cards
        return 0


@pytest.fixture
def computer(monkeypatch):
    """Gives this computer cards, a torch build and a driver."""
    library = ctypes.CDLL

    def install(*cards, build="cuda", driver=None):
        """cards: (name, compute capability) of those that torch finds. driver: NVIDIA's, by default for its cards."""
        driver = Driver(len(cards)) if cards and build == "cuda" else driver

        def load(name, *arguments):
            if not name.startswith(("libcuda", "nvcuda")):
                return library(name, *arguments)
            if driver is None:
                raise OSError(name)
            return driver

        monkeypatch.setattr(ctypes, "CDLL", load)
        for name, version in (("cuda", "13.0"), ("hip", "7.1"), ("xpu", "2025")):
            monkeypatch.setattr(torch.version, name, version if name == build else None)
        for module in (torch.cuda, torch.xpu):
            mine = cards if (module is torch.xpu) == (build == "xpu") else ()
            monkeypatch.setattr(module, "is_available", lambda mine=mine: bool(mine))
            monkeypatch.setattr(module, "device_count", lambda mine=mine: len(mine))
            monkeypatch.setattr(module, "get_device_name", lambda i, mine=mine: mine[i][0])
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda i: cards[i][1])
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_90", "compute_90"])

    return install


A2000, GTX1660, GTX1080 = ("NVIDIA RTX A2000", (8, 6)), ("NVIDIA GeForce GTX 1660", (7, 5)), ("GTX 1080", (6, 1))
RADEON, ARC = ("AMD Radeon RX 7900", (11, 0)), ("Intel Arc B580", None)


def test_the_first_card_that_torch_can_use_in_half_precision(computer):
    computer(GTX1080, A2000)
    assert choose_device() == DeviceChoice("cuda", 1, True)
    assert choose_device(1, False) == choose_device(device="cuda:1", fp16=False) == DeviceChoice("cuda", 1, False)
    assert choose_device(-1) == choose_device(device="cpu") == DeviceChoice("cpu", 0, False)
    assert device.unusable_gpu() is None
    assert device.names() == ["cuda:0 GTX 1080", "cuda:1 NVIDIA RTX A2000"]


def test_a_card_too_old_for_torch_leaves_the_cpu_to_compute(computer):
    computer(GTX1080)
    assert choose_device().on_cpu
    assert device.unusable_gpu().startswith("GTX 1080 has compute capability 6.1 and torch")
    with pytest.raises(DeviceError, match=r'needs 7.5; set device="cpu"'):
        choose_device(0)


def test_cards_whose_half_precision_gives_nan_compute_in_single(computer):
    computer(GTX1660)
    assert choose_device() == DeviceChoice("cuda", 0, False)
    assert choose_device(0, True).fp16


@pytest.mark.parametrize(("name", "message"), [
    ("gpu", 'device is \'gpu\'; it must be "cuda:0"'), ("cuda:x", "it must be"), ("cpu:1", "it must be"),
    ("cuda:2", "of CUDA devices there are 1"), ("rocm", "was built without ROCm"), ("xpu", "was built without XPU"),
    ("mps", "was built without MPS"),
])  # fmt: skip
def test_names_of_devices_that_are_not_there(computer, name, message):
    computer(A2000)
    with pytest.raises(DeviceError, match=message):
        choose_device(device=name)


def test_a_name_and_a_number_contradict(computer):
    computer(A2000)
    with pytest.raises(DeviceError, match="give one of them"):
        choose_device(0, None, "cuda:0")


@pytest.mark.parametrize(("build", "kind", "card"), [("hip", "rocm", RADEON), ("xpu", "xpu", ARC)])
def test_other_vendors_cards_are_used_if_they_are_named(computer, monkeypatch, build, kind, card):
    computer(card, build=build)
    assert choose_device().on_cpu
    assert f'device="{kind}" uses {card[0]}' in device.unusable_gpu()
    assert device.names() == [f"{kind}:0 {card[0]}"]
    assert choose_device(device=kind, fp16=False).device == torch.device("cuda" if kind == "rocm" else "xpu", 0)
    with pytest.raises(DeviceError, match="built without CUDA"):
        choose_device(0)


@pytest.mark.parametrize(("error", "half"), [(0.0, True), (0.1, False), (torch.nan, False)])
def test_half_precision_elsewhere_if_a_convolution_is_right(computer, monkeypatch, error, half):
    computer(RADEON, build="hip")
    convolve = F.conv2d

    def on_device(pixels, kernel, padding):
        return convolve(pixels, kernel, padding=padding) + (error if pixels.dtype == torch.float16 else 0)

    monkeypatch.setattr(DeviceChoice, "device", torch.device("cpu"))
    monkeypatch.setattr(F, "conv2d", on_device)
    assert choose_device(device="rocm").fp16 == half


def test_a_torch_without_cuda_beside_a_card(computer):
    computer(build="none", driver=Driver(1))
    assert "built without CUDA, so the CPU computes; pip install" in device.unusable_gpu()
    computer(build="none", driver=Driver(2))
    assert device.unusable_gpu().startswith("2 NVIDIA cards are there")


def test_a_driver_too_old_for_torch(computer):
    computer(driver=Driver(1))
    assert "cannot use it, so the CPU computes; update the driver" in device.unusable_gpu()
    computer(driver=Driver(2))
    assert "cannot use them" in device.unusable_gpu()


@pytest.mark.parametrize("build", ["cuda", "none"])
def test_torch_is_not_asked_for_cards_that_cannot_be_there(computer, monkeypatch, build):
    computer(build=build)
    monkeypatch.setattr(torch_devices, "count", lambda kind: pytest.fail(f"torch was asked for {kind}"))
    assert choose_device().on_cpu and device.unusable_gpu() is None and device.names() == []


def test_the_build_is_read_without_importing_torch():
    script = (
        "import sys; from vsduf.engine.torch_build import torch_build; found = torch_build()\n"
        "assert 'torch' not in sys.modules; import torch; assert found == torch_build(); print(found.version)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{torch.__version__}\n"


def test_without_torch_the_cpu_computes(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch.version")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose_device().on_cpu and torch_build.torch_build().version == "none"
    with pytest.raises(DeviceError, match="but torch is not installed; pip install"):
        choose_device(0)


@pytest.mark.parametrize("driver", [None, Driver(0), Driver(1, ready=999)])
def test_no_card_no_warning(computer, driver):
    computer(build="none", driver=driver)
    assert device.unusable_gpu() is None


def test_the_warning_comes_once_and_only_where_the_cpu_was_not_asked_for(monkeypatch, tmp_path, computer):
    path, warnings = tmp_path / "x2.safetensors", []
    weights.save(path, random_weights(DufConfig(2, 6, 32, True)).state, {})
    computer(GTX1080)
    monkeypatch.setattr(engine, "_warned", set())
    for arguments in ({"device_id": -1}, {"device": "cpu"}, {}, {}):
        engine.open_engine(path, 2, 16, 16, **arguments, warn=warnings.append).close()
    assert len(warnings) == 1
