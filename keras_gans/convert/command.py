"""`keras-gans convert`: the authors' CycleGAN files to an entry, and back."""

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_parser(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command.

    Args:
        command: Of name, function, words and example, the parser to add
            arguments to.
    """
    added = command(
        "convert",
        run,
        "Convert checkpoints of the CycleGAN authors' PyTorch code, or back.",
        "latest_net_G_A.pth --reverse latest_net_G_B.pth --out my_cyclegan",
    )
    added.add_argument(
        "source",
        nargs="?",
        help="a generator's .pth from A to B, or the folder of a training with "
        "latest_net_G_A.pth in it; with --to-pytorch an entry",
    )
    added.add_argument("--reverse", help="the .pth of the generator back to A")
    added.add_argument(
        "--official",
        metavar="NAME",
        help="fetch a published generator, such as horse2zebra, and the one "
        "back where there is one",
    )
    added.add_argument(
        "--sha256",
        nargs="+",
        default=[],
        help="that the files must have, in their order",
    )
    added.add_argument(
        "--size",
        type=int,
        default=256,
        help="of the crops for further training, in pixels",
    )
    added.add_argument("--licence", default="not said", help="of the weights")
    added.add_argument("--out", help="the entry's folder; else named as it is")
    added.add_argument(
        "--to-pytorch", metavar="FOLDER", help="write .pth files (needs torch)"
    )


def run(options: argparse.Namespace) -> None:
    if (options.source is None) == (options.official is None):
        raise ValueError(
            "Expected one of a checkpoint and --official. Received: "
            f"source={options.source!r}, official={options.official!r}. As in "
            "`keras-gans convert --official horse2zebra`."
        )
    if options.to_pytorch is not None:
        write_pytorch(options)
    else:
        write_entry(options)


def write_entry(options: argparse.Namespace) -> None:
    """Convert one or two generators, or a training's folder, to an entry."""
    import keras_gans
    from keras_gans.convert.cyclegan import from_official
    from keras_gans.convert.official import check_hash
    from keras_gans.files import writable_folder

    out = Path(options.out or options.official or Path(options.source).stem)
    writable_folder(out.absolute().parent)  # before anything is fetched
    files = files_of(options)
    if len(options.sha256) not in (0, len(files)):
        raise ValueError(
            f"Expected a sha256 for each of {len(files)} files. Received: "
            f"{len(options.sha256)}. Their order is "
            f"{', '.join(path.name for path in files.values())}."
        )
    hashes = {}
    expected = options.sha256 or [None] * len(files)
    for path, sha256 in zip(files.values(), expected, strict=True):
        if path.is_file():  # else `from_official` says so
            hashes[path.name] = check_hash(path, sha256)
            print(f"{path.name}: sha256 {hashes[path.name]}")
    if options.official and not options.sha256:
        print(
            "Their authors publish no hash to compare with. Nothing in them "
            "was run; pin them with --sha256."
        )
    model = from_official(**files, image_size=(options.size, options.size))
    data: dict[str, Any] = {}
    if options.official:
        from keras_gans.datasets.cyclegan import NAMES

        # Where A and B are those of a data set, it measures the entry.
        if options.official in NAMES:
            data["name"] = f"cyclegan/{options.official}"
        source = f"published by the authors of CycleGAN as {options.official}"
    else:
        source = "from a checkpoint of the authors' PyTorch code"
    for name, sha256 in hashes.items():
        data[name] = f"sha256 {sha256}"
    keras_gans.save_pretrained(
        model,
        out,
        description=f"A CycleGAN, {source}, converted.",
        data=data,
        licence=options.licence,
    )
    print(out)


def files_of(options: argparse.Namespace) -> dict[str, Path]:
    """The files by the arguments of `from_official`, fetched if need be."""
    from keras_gans.convert.cyclegan import FILES
    from keras_gans.convert.official import OFFICIAL, fetch_official

    if options.official:
        name, back = options.official, OFFICIAL.get(options.official)
        if options.reverse:
            raise ValueError(
                "Expected --reverse beside a checkpoint. Received: --official "
                f"{name}, which brings its own where there is one. Leave it "
                "out."
            )
        names = {"path_ab": name} | ({"path_ba": back} if back else {})
        return {key: fetch_official(n) for key, n in names.items()}
    source = Path(options.source)
    if not source.is_dir():
        files = {"path_ab": source}
        if options.reverse:
            files["path_ba"] = Path(options.reverse)
        return files
    arguments = {"generator_ab": "path_ab", "generator_ba": "path_ba"}
    found = {
        arguments.get(network, network): source / file
        for network, file in FILES.items()
        if (source / file).is_file()
    }
    if "path_ab" not in found or options.reverse:
        raise ValueError(
            f"Expected a folder with {FILES['generator_ab']} in it, and no "
            f"--reverse. Received: {str(source)!r} with "
            f"{', '.join(p.name for p in found.values()) or 'none'}. Give the "
            "files by their names."
        )
    return found


def write_pytorch(options: argparse.Namespace) -> None:
    """Write the networks of an entry as the authors' code would."""
    try:
        import torch
    except ImportError:
        raise ImportError(
            "Expected PyTorch, which writes its files. Received: no module "
            "`torch`. Install keras_gans[torch]."
        ) from None
    import keras_gans
    from keras_gans.convert.cyclegan import to_official
    from keras_gans.files import writable_folder, written_aside

    if options.source is None or Path(options.to_pytorch).suffix == ".pth":
        raise ValueError(
            "Expected an entry, and a folder for its networks. Received: "
            f"{options.source!r}, --to-pytorch {options.to_pytorch}. As in "
            "`keras-gans convert my_cyclegan --to-pytorch checkpoints`."
        )
    model = keras_gans.load(options.source)
    if not isinstance(model, keras_gans.CycleGAN):
        raise ValueError(
            f"Expected a CycleGAN. Received: a {type(model).__name__}. Only "
            "CycleGAN converts."
        )
    folder = writable_folder(options.to_pytorch)
    contents = {}
    for name, state in to_official(model).items():
        tensors = {key: torch.from_numpy(array) for key, array in state.items()}
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
        contents[name] = buffer.getbuffer()
    for name, content in contents.items():
        with written_aside(folder / name) as file:
            file.write(content)
        print(folder / name)
