"""`keras-gans convert`: the authors' files to an entry, and back."""

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
        "Convert checkpoints of the PyTorch code of CycleGAN's and StackGAN's "
        "authors, and of PyTorch's VAE example, or back.",
        "latest_net_G_A.pth --reverse latest_net_G_B.pth --out my_cyclegan",
    )
    added.add_argument(
        "source",
        nargs="?",
        help="a generator's .pth from A to B, or the folder of a training with "
        "latest_net_G_A.pth in it; a StackGAN's netG; a VAE; with --to-pytorch "
        "an entry",
    )
    added.add_argument(
        "--discriminator",
        metavar="FILE",
        help="a StackGAN's netD, for further training",
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
    elif options.source and _kind_of(Path(options.source)) == "stackgan":
        write_stackgan(options)
    elif options.source and _kind_of(Path(options.source)) == "vae":
        write_vae(options)
    elif options.discriminator:
        raise ValueError(
            "Expected `--discriminator` beside a StackGAN's netG. Received: "
            f"{options.source or options.official!r}. A CycleGAN's come from "
            "the folder of a training."
        )
    else:
        write_entry(options)


def _kind_of(path: Path) -> str | None:
    """What a file is a checkpoint of, but for CycleGAN's, if that is known."""
    from keras_gans.convert.pth import read_pth
    from keras_gans.convert.stackgan import is_stackgan
    from keras_gans.convert.vae import is_vae

    # What cannot be read is told of by what reads it next.
    try:
        content = read_pth(path) if path.is_file() else {}
    except ValueError:
        return None
    if is_stackgan(content):
        return "stackgan"
    return "vae" if is_vae(content) else None


def write_vae(options: argparse.Namespace) -> None:
    """Convert a VAE of PyTorch's example, of 28x28 pixels, to an entry."""
    import keras_gans
    from keras_gans.convert.official import check_hash
    from keras_gans.convert.vae import from_official
    from keras_gans.files import writable_folder

    path = Path(options.source)
    if options.reverse or options.discriminator:
        raise ValueError(
            f"Expected a VAE alone. Received: {path} with --reverse or "
            "--discriminator. Leave them out."
        )
    check_hashes(options, [path.name])
    out = Path(options.out or path.stem)
    writable_folder(out.absolute().parent)
    found = check_hash(path, *(options.sha256 or [None]))
    print(f"{path.name}: sha256 {found}")
    keras_gans.save_pretrained(
        from_official(path),
        out,
        description="A VAE, from a checkpoint of PyTorch's example, converted.",
        data={path.name: f"sha256 {found}"},
        licence=options.licence,
    )
    print(out)


def write_stackgan(options: argparse.Namespace) -> None:
    """Convert a generator of either stage to an entry."""
    import keras_gans
    from keras_gans.convert.official import check_hash
    from keras_gans.convert.stackgan import from_official
    from keras_gans.files import writable_folder

    if options.reverse:
        raise ValueError(
            "Expected a StackGAN's netG alone, or with --discriminator. "
            f"Received: --reverse {options.reverse}. Leave it out."
        )
    files = [Path(options.source)]
    if options.discriminator:
        files.append(Path(options.discriminator))
    check_hashes(options, [path.name for path in files])
    out = Path(options.out or files[0].stem)
    writable_folder(out.absolute().parent)
    expected = options.sha256 or [None] * len(files)
    data = {}
    for path, sha256 in zip(files, expected, strict=True):
        if path.is_file():
            data[path.name] = f"sha256 {check_hash(path, sha256)}"
            print(f"{path.name}: {data[path.name]}")
    model = from_official(*files)
    keras_gans.save_pretrained(
        model,
        out,
        description="A StackGAN, from a checkpoint of the authors' PyTorch "
        "code, converted.",
        data=data,
        licence=options.licence,
    )
    print(out)


def write_entry(options: argparse.Namespace) -> None:
    """Convert one or two generators, or a training's folder, to an entry."""
    import keras_gans
    from keras_gans.convert.cyclegan import from_official
    from keras_gans.convert.official import check_hash
    from keras_gans.files import writable_folder

    out = Path(options.out or options.official or Path(options.source).stem)
    writable_folder(out.absolute().parent)  # before anything is fetched
    if options.size % 4 or options.size < 32:
        raise ValueError(
            "Expected `--size` of at least 32, divisible by 4. Received: "
            f"{options.size}. The published ones have 256."
        )
    files = files_of(options)
    hashes = {}
    expected = options.sha256 or [None] * len(files)
    for (part, path), sha256 in zip(files.items(), expected, strict=True):
        if path.is_file():  # else `from_official` says so
            name = path.name
            if name in hashes:  # latest_net_G.pth of two folders
                name = f"{name} ({part.removeprefix('path_')})"
            hashes[name] = check_hash(path, sha256)
            print(f"{name}: sha256 {hashes[name]}")
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
        check_hashes(options, [*names.values()])
        hashes = options.sha256 or [None] * len(names)
        return {
            key: fetch_official(one, sha256)
            for (key, one), sha256 in zip(names.items(), hashes, strict=True)
        }
    source = Path(options.source)
    if not source.is_dir():
        files = {"path_ab": source}
        if options.reverse:
            files["path_ba"] = Path(options.reverse)
        check_hashes(options, [path.name for path in files.values()])
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
    check_hashes(options, [path.name for path in found.values()])
    return found


def check_hashes(options: argparse.Namespace, names: list[str]) -> None:
    """Raise a `ValueError` unless there is a hash for each file, or none."""
    if len(options.sha256) not in (0, len(names)):
        raise ValueError(
            f"Expected a sha256 for each of {len(names)} files. Received: "
            f"{len(options.sha256)}. Their order is {', '.join(names)}."
        )


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
    from keras_gans.convert.stackgan import to_official as stackgan_to_official
    from keras_gans.convert.vae import to_official as vae_to_official
    from keras_gans.files import writable_folder, written_aside

    if options.source is None or Path(options.to_pytorch).suffix == ".pth":
        raise ValueError(
            "Expected an entry, and a folder for its networks. Received: "
            f"{options.source!r}, --to-pytorch {options.to_pytorch}. As in "
            "`keras-gans convert my_cyclegan --to-pytorch checkpoints`."
        )
    model = keras_gans.load(options.source)
    stackgans = (keras_gans.StackGANStage1, keras_gans.StackGANStage2)
    if isinstance(model, stackgans):
        to_official = stackgan_to_official
    elif isinstance(model, keras_gans.VAE):
        to_official = vae_to_official
    elif not isinstance(model, keras_gans.CycleGAN):
        raise ValueError(
            "Expected a CycleGAN, a StackGAN or a VAE. Received: a "
            f"{type(model).__name__}. Only these convert."
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
