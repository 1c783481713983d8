"""`vsduf weights`: what a weights file is, and converting published ones."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`list`, `show FILE` and `convert IN OUT`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the models that come with vsduf")
    show = actions.add_parser("show", help="what a weights file says of itself")
    show.add_argument("model", help="a bundled model's name or a weights file")
    convert = actions.add_parser("convert", help="write a .safetensors from the DUF authors' .h5 or BasicSR's .pth")
    convert.add_argument("source", metavar="IN", help=".h5, .hdf5, .pth, .pt or .safetensors")
    convert.add_argument("target", metavar="OUT", type=Path, help=".safetensors")
    convert.add_argument("--half", action="store_true", help="store float16: half the size, over 70 dB from float32")


def run(args: argparse.Namespace) -> int:
    """Prints or converts; raises WeightsError or ArgumentError for what cannot be read or written."""
    from vsduf.network import weights

    if args.action == "list":
        for name in weights.bundled():
            print(_line(name, weights.load(name)))
    elif args.action == "show":
        loaded = weights.load(args.model)
        print(_line(args.model, loaded))
        for key, value in sorted(loaded.metadata.items()):
            print(f"  {key}: {value}")
    else:
        _convert(args.source, args.target, args.half)
    return 0


def _line(name: str, loaded: object) -> str:
    from vsduf.network.weights import Weights

    assert isinstance(loaded, Weights)
    config = loaded.config
    form = "streaming" if config.streaming else "the paper's form"
    return f"{name}: x{config.scale}, {config.layers} layers, {form}, sited {loaded.siting}"


def _convert(source: str, target: Path, half: bool) -> None:
    import torch

    from vsduf.cli.terminal import check_output
    from vsduf.errors import ArgumentError
    from vsduf.network import weights

    if target.suffix != ".safetensors":
        raise ArgumentError(f"{target} does not end in .safetensors; vsduf writes no other kind of weights file")
    check_output(target)
    loaded = weights.load(source)
    weights.save(target, loaded.state, loaded.metadata, torch.float16 if half else torch.float32)
    print(_line(str(target), loaded))
