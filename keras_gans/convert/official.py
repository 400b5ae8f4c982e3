"""The 18 generators that the authors of CycleGAN published, by their names.

Their server speaks plain http, and no hash of a file is published. So what
comes may have been altered on its way; since `read_pth` runs nothing of a file,
the worst that an altered one can be is a network with other weights. Give the
`sha256` where you know it; the commands print that of what came.
"""

import http.client
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from keras_gans.convert.pth import tensors_in
from keras_gans.files import cache_folder, copied, file_hash
from keras_gans.registry import unknown

ADDRESS = "http://efrosgans.eecs.berkeley.edu/cyclegan/pretrained_models"

# Name -> the one that translates back, where there is one.
OFFICIAL = {
    "apple2orange": "orange2apple",
    "orange2apple": "apple2orange",
    "summer2winter_yosemite": "winter2summer_yosemite",
    "winter2summer_yosemite": "summer2winter_yosemite",
    "horse2zebra": "zebra2horse",
    "zebra2horse": "horse2zebra",
    "monet2photo": "style_monet",
    "style_monet": "monet2photo",
    "style_cezanne": None,
    "style_ukiyoe": None,
    "style_vangogh": None,
    "sat2map": "map2sat",
    "map2sat": "sat2map",
    "cityscapes_photo2label": "cityscapes_label2photo",
    "cityscapes_label2photo": "cityscapes_photo2label",
    "facades_photo2label": "facades_label2photo",
    "facades_label2photo": "facades_photo2label",
    "iphone2dslr_flower": None,
}

LARGEST = 1 << 28  # bytes; the published files have about 46 million


def fetch_official(name: str, sha256: str | None = None) -> Path:
    """Download one of the published generators into the cache, once.

    Args:
        name: One of `OFFICIAL`, which also names the one that translates back.
        sha256: In hexadecimal, where it is known. Without it the file is only
            known to be a whole checkpoint of plain tensors (see above).

    Returns:
        The path of the file.

    Raises:
        ValueError: If the name is unknown, or the address cannot be reached,
            ends too early, or gives something else. Nothing of it is kept.

    Example:

    ```python
    path = keras_gans.convert.fetch_official("horse2zebra")
    cyclegan = keras_gans.convert.from_official(path)
    ```
    """
    if name not in OFFICIAL:
        raise ValueError(unknown("published CycleGAN", name, [*OFFICIAL]))
    folder = cache_folder("fetched", "cyclegan")
    target = folder / f"{name}.pth"
    if not target.is_file():
        url = f"{ADDRESS}/{name}.pth"
        try:
            # Whole and readable before it has its name.
            with tempfile.TemporaryDirectory(dir=folder) as aside:
                path = Path(aside) / target.name
                _download(url, path)
                with open(path, "rb") as file:
                    tensors_in(file)
                check_hash(path, sha256)
                os.replace(path, target)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise ValueError(
                f"Expected the checkpoint {name} at {url}. Received: {error}. "
                f"Try again, or bring the file from elsewhere to {target}."
            ) from None
    check_hash(target, sha256)
    return target


def check_hash(path: Path, sha256: str | None) -> str:
    """The file's sha256, once it is shown to be the one that is expected."""
    found = file_hash(path)
    if sha256 is not None and found != str(sha256).lower():
        raise ValueError(
            f"Expected {path} of sha256 {sha256}. Received: sha256 {found}. "
            "Delete it, and fetch it again."
        )
    return found


def _download(url: str, path: Path) -> None:
    opener = urllib.request.build_opener(_Redirects)
    with opener.open(url, timeout=60) as answer, open(path, "wb") as file:
        copied(answer, file, LARGEST)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the same machine, or to an encrypted address."""

    def redirect_request(self, request, fp, code, msg, headers, newurl):
        old, new = (
            urllib.parse.urlsplit(u) for u in (request.full_url, newurl)
        )
        same = new.scheme == "http" and new.hostname == old.hostname
        if not same and new.scheme != "https":
            fp.close()
            raise ValueError(f"a redirect to {newurl}")
        return super().redirect_request(request, fp, code, msg, headers, newurl)
