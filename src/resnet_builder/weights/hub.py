"""Checkpoints from the Hugging Face Hub, through huggingface_hub: its cache and progress bar."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .checkpoints import READERS

# owner/name, with a revision behind an @ where one is wanted.
REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")

# In the order in which they are looked for.
CHECKPOINTS = ("model.safetensors", "pytorch_model.bin")


def is_repository(source: Any) -> bool:
    """Whether a source reads as a repository's name and not as a path."""
    if not isinstance(source, str) or not REPOSITORY.fullmatch(source):
        return False
    reads_as_a_path = source.startswith(".") or source.lower().endswith(tuple(READERS))
    return not reads_as_a_path and not Path(source).parent.is_dir()


def download(repository: str, files: Sequence[str] = CHECKPOINTS) -> Path:
    """The first of some files that a repository has, from the cache or the hub.

    Args:
        repository: such as `timm/resnet18.tv_in1k`, perhaps with `@` and a revision.

    Raises:
        ImportError: huggingface_hub is not installed.
        FileNotFoundError: there is no such repository, or none of the files in it.
        ConnectionError: none is in the cache and the hub cannot be reached.
        OSError: the cache cannot be written.
        ValueError: what arrived is not what the hub said it would be.
    """
    try:
        from huggingface_hub import errors, hf_hub_download
    except ImportError as error:
        raise ImportError(
            f"loading {repository!r} from the Hugging Face Hub needs a package: "
            "pip install 'resnet-builder[weights]'"
        ) from error
    name, _, revision = repository.partition("@")
    unreachable = None
    for file in files:
        try:
            # Once the hub was out of reach, asking it for the other files would only take time.
            path = Path(
                hf_hub_download(
                    name, file, revision=revision or None, local_files_only=unreachable is not None
                )
            )
        except errors.LocalEntryNotFoundError as error:
            unreachable = unreachable or error
            continue
        except errors.RemoteEntryNotFoundError:
            continue
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
            raise FileNotFoundError(
                f"there is no file {repository!r} here, and no repository of that name on the "
                "Hugging Face Hub, or it is private"
            ) from error
        _check(path, repository)
        return path
    if unreachable:
        raise ConnectionError(
            f"{repository!r} is not in the cache and the Hugging Face Hub cannot be reached: where "
            f"it can, download {files[0]} from https://huggingface.co/{name}, and give its path"
        ) from unreachable
    raise FileNotFoundError(f"{repository!r} has none of {', '.join(files)}")


def _check(path: Path, repository: str) -> None:
    """Compare a file with its SHA-256, by which the hub's cache names large files."""
    blob = path.resolve()
    if not re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return
    with blob.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != blob.name:
        blob.unlink()
        raise ValueError(
            f"{repository!r} arrived broken: its SHA-256 is {digest}, not {blob.name}. "
            "What arrived was deleted; try again"
        )
