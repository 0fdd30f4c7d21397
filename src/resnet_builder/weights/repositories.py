"""Repositories of the Hugging Face Hub that are not in the table: timm's `config.json`."""

import json

from .hub import download
from .published import PublishedWeights

NEEDED = ("architecture", "num_classes", "input_size", "mean", "std")


def read_repository(repository: str) -> PublishedWeights:
    """Return what the `config.json` of a repository says about its checkpoint.

    Args:
        repository: name of the repository, optionally with `@` and a revision.

    Raises:
        ValueError: the file is not timm's.
        OSError, ImportError: as in `download`.
    """
    try:
        file = download(repository, ["config.json"])
    except ConnectionError as error:
        raise ConnectionError(
            f"{repository!r} is not in list_weights(), and its config.json, which names its "
            "network, is not in the cache and cannot be downloaded: give a preset's name, and a "
            "file as weights"
        ) from error
    config = json.loads(file.read_text(encoding="utf-8"))
    # Older repositories have all settings at the top level.
    settings = config.get("pretrained_cfg", {}) | config
    missing = [name for name in NEEDED if name not in settings]
    if missing:
        raise ValueError(
            f"the config.json of {repository!r} is not one of timm: it does not say "
            f"{', '.join(missing)}. Give a preset's name, and the repository as weights"
        )
    _, rows, columns = settings["input_size"]
    return PublishedWeights(
        library="timm",
        preset=settings["architecture"],
        tag=settings.get("tag", ""),
        source=repository,
        classes=settings["num_classes"],
        input_size=(rows, columns),
        crop_pct=settings.get("crop_pct"),
        interpolation=settings.get("interpolation", ""),
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
        licence=settings.get("license", ""),
    )
