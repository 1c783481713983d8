"""`vsduf devices`: the CPU, the graphics cards that torch can use, and the reason why one cannot be used."""

import re

from vsduf.cli import devices
from vsduf.cli.main import main
from vsduf.engine import device


def test_devices_are_listed_under_the_names_that_the_option_takes(monkeypatch, capsys):
    monkeypatch.setattr(device, "names", lambda: ["cuda:0 NVIDIA H100", "xpu:0 Intel Arc"])
    monkeypatch.setattr(device, "unusable_gpu", lambda: None)
    assert main(["devices"]) == 0
    head, cpu, *cards, note = capsys.readouterr().out.splitlines()
    assert head.split() == ["device", "what", "it", "is"]
    assert re.fullmatch(r"cpu     \S.*, \d+ cores, \d+\.\d GiB free", cpu)
    assert cards == ["cuda:0  NVIDIA H100", "xpu:0   Intel Arc"]
    assert note == devices.NOTE


def test_a_card_that_cannot_be_used_is_explained(monkeypatch, capsys):
    monkeypatch.setattr(device, "names", list)
    monkeypatch.setattr(device, "unusable_gpu", lambda: "a card is there; install a driver")
    assert main(["devices"]) == 0
    assert capsys.readouterr().err == "vsduf: a card is there; install a driver\n"
