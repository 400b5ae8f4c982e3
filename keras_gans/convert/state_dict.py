"""State dicts of PyTorch networks: found in a file, compared with shapes."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

FLOATS = ("bfloat16", "float16", "float32", "float64")


def state_in(
    content: Mapping[str, Any], unused: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """The state dict in a checkpoint, without `module.` and unused numbers.

    Args:
        content: As `read_pth` gives it.
        unused: Ends of the keys that are left out.

    Raises:
        ValueError: If there is none, or more than one.
    """
    inner = {k: v for k, v in content.items() if isinstance(v, Mapping)}
    states = {k: v for k, v in inner.items() if _is_state(v)}
    if not _is_state(content) and len(states) == 1:
        (content,) = states.values()  # {"epoch": 3, "state_dict": {...}}
    if not _is_state(content):
        names = listed(states or content) or "nothing"
        raise ValueError(
            "Expected the state dict of one network, names to tensors. "
            f"Received: {names}. Save the network's `state_dict()` alone."
        )
    state = {str(k): v for k, v in content.items() if hasattr(v, "shape")}
    while all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): v for key, v in state.items()}
    return {
        key: np.asarray(value)
        for key, value in state.items()
        if not key.endswith(unused)
    }


def _is_state(content: Mapping[str, Any]) -> bool:
    return any(
        str(key).endswith(".weight") and hasattr(value, "shape")
        for key, value in content.items()
    )


def check_state(
    state: dict[str, np.ndarray],
    shapes: dict[str, tuple[int, ...]],
    kind: str,
    fix: str,
) -> None:
    """Raise a `ValueError` that names what is missing, too many or misshapen.

    Args:
        state: Keys to arrays.
        shapes: What they have to be.
        kind: Of the network, in words.
        fix: What kind of file it has to be.
    """
    wrong = []
    if missing := [key for key in shapes if key not in state]:
        wrong.append(f"no {listed(missing)}")
    if extra := [key for key in state if key not in shapes]:
        wrong.append(f"{listed(extra)} beside them")
    unfit = []
    for key in shapes:
        array = state.get(key)
        if array is None:
            continue
        if array.shape != shapes[key]:
            unfit.append(f"{key} of {array.shape} in place of {shapes[key]}")
        elif str(array.dtype) not in FLOATS:
            unfit.append(f"{key} of {array.dtype} in place of float32")
        elif not np.isfinite(array).all():
            unfit.append(f"{key} with numbers that are not finite")
    if unfit:
        wrong.append(listed(unfit))
    if wrong:
        raise ValueError(
            f"Expected the tensors of a {kind}. Received: {'; '.join(wrong)}. "
            f"{fix}"
        )


def listed(names: Iterable[Any]) -> str:
    """All names, or the first ten of more, and how many there are."""
    names = [str(name)[:100] for name in names]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
