"""`vsduf weights`: lists the bundled models, shows what a weights file states, converts and exports weights."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vsduf.cli.options import parse_size
from vsduf.cli.table import print_table
from vsduf.cli.terminal import check_output
from vsduf.errors import ArgumentError
from vsduf.network import catalogue

if TYPE_CHECKING:
    from vsduf.network.header import Header
    from vsduf.network.weights import Weights

HEAD = ("name", "scale", "for", "cost", "PSNR", "licence")
NOTE = (
    "cost: multiply-adds per source pixel; PSNR: on validation clips, which differ from model to model;"
    " licence: of the training data, in full by `vsduf weights show NAME`"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `list`, `show MODEL`, `convert IN OUT` and `export MODEL OUT`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")

    add("list", "list the models that come with vsduf: scale, use, cost, PSNR, licence")
    show = add("show", "print what a weights file states: network, training data, licence")
    show.add_argument("model", metavar="MODEL", help="a bundled model's name or a weights file")
    convert = add("convert", "write a .safetensors from the DUF authors' .h5 or BasicSR's .pth")
    convert.add_argument("source", metavar="IN", help="weights to read: .h5, .hdf5, .pth, .pt or .safetensors")
    convert.add_argument("target", metavar="OUT", type=Path, help="weights to write: .safetensors")
    convert.add_argument("--half", action="store_true", help="store float16: half the size, over 70 dB from float32")
    export = add(
        "export", "write an .onnx for vs-mlrt's filters, for Intel, AMD and NVIDIA devices, and print a script for it"
    )
    export.add_argument("model", metavar="MODEL", help="a bundled model's name or a weights file")
    export.add_argument("target", metavar="OUT", type=Path, help="file to write: .onnx")
    export.add_argument("--fp16", action="store_true", help="half precision inside; input and output stay RGBS")
    size_help = "fixed size of the source frames, for runtimes that need one (default: any size)"
    export.add_argument("--size", type=parse_size, metavar="WxH", help=size_help)
    export.add_argument("--volumes", action="store_true", help="use 3-D convolutions (default: 2-D)")


def run(args: argparse.Namespace) -> int:
    """Prints or converts; raises WeightsError or ArgumentError for what cannot be read or written."""
    if args.action == "list":
        print_table(HEAD, [row(name, header) for name, header in catalogue.headers().items()], NOTE)
    elif args.action == "show":
        _show(args.model)
    elif args.action == "convert":
        _convert(args.source, args.target, args.half)
    else:
        _export(args)
    return 0


def row(name: str, header: Header) -> tuple[str, ...]:
    """Returns a model's cells under HEAD."""
    metadata = header.metadata
    cost, licence = f"{header.config.multiply_adds / 1e6:.2f} M", metadata.get("licence", "unstated").split(":")[0]
    psnr = f"{metadata['psnr']} dB" if "psnr" in metadata else "-"
    return name, f"x{header.config.scale}", metadata.get("purpose", "clean video"), cost, psnr, licence


def summary(name: str, model: Header | Weights) -> str:
    """Returns one line about a network: scale, depth, form and siting."""
    config = model.config
    form = "streaming form" if config.streaming else "the paper's form"
    return f"{name}: x{config.scale}, {config.layers} layers, {form}, sited {model.siting}"


def _show(model: str) -> None:
    from vsduf.network import weights

    loaded = weights.load(model)
    print(summary(model, loaded))
    for key, value in sorted(loaded.metadata.items()):
        print(f"  {key}: {value}")


def _convert(source: str, target: Path, half: bool) -> None:
    if target.suffix != ".safetensors":
        raise ArgumentError(f"{target} does not end in .safetensors, the only weights format that vsduf writes")
    check_output(target)
    import numpy as np

    from vsduf.network import weights

    loaded = weights.load(source)
    weights.save(target, loaded.state, loaded.metadata, np.float16 if half else np.float32)
    print(summary(str(target), loaded))


def _export(args: argparse.Namespace) -> None:
    """Writes an ONNX file and prints a script that uses it."""
    if args.target.suffix != ".onnx":
        raise ArgumentError(f"{args.target} does not end in .onnx, the name that vs-mlrt's filters expect")
    check_output(args.target)
    catalogue.find(args.model)  # refuses before torch is loaded
    from vsduf.network import onnx_export, weights

    loaded, options = weights.load(args.model), onnx_export.Options(args.size, args.volumes, args.fp16)
    onnx_export.save(loaded, args.target, options)
    print(onnx_export.script(loaded.config, args.target.absolute()), end="")
