"""Checkpoints from the Hugging Face Hub, through huggingface_hub: its cache and progress bar."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .checkpoints import READERS

# owner/name, optionally followed by @ and a revision.
REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")

# File names, in the order in which they are tried.
CHECKPOINTS = ("model.safetensors", "pytorch_model.bin")


def is_repository(source: Any) -> bool:
    """Return whether a source looks like a repository's name and not like a path."""
    if not isinstance(source, str) or not REPOSITORY.fullmatch(source):
        return False
    reads_as_a_path = source.startswith(".") or source.lower().endswith(tuple(READERS))
    return not reads_as_a_path and not Path(source).parent.is_dir()


def download(repository: str, files: Sequence[str] = CHECKPOINTS) -> Path:
    """Return the first of some files that a repository has, from the cache or the hub.

    Args:
        repository: a name such as `timm/resnet18.tv_in1k`, optionally with `@` and a revision.
        files: file names, in the order of preference.

    Raises:
        ImportError: huggingface_hub is not installed.
        FileNotFoundError: there is no such repository, or none of the files in it.
        ConnectionError: no file is in the cache and the hub cannot be reached.
        OSError: the cache cannot be written.
        ValueError: the downloaded file does not have the hash that the hub states.
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
            # If the hub could not be reached once, the other files are only looked up in the cache.
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
            f"{repository!r} is not in the cache and the Hugging Face Hub cannot be reached: on a "
            f"machine with access, download {files[0]} from https://huggingface.co/{name}, and "
            "give its path"
        ) from unreachable
    raise FileNotFoundError(f"{repository!r} has none of {', '.join(files)}")


def _check(path: Path, repository: str) -> None:
    """Compare a file with its SHA-256, the name of large files in the hub's cache."""
    blob = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        check_digest(blob, "sha256", blob.name, repository)


def check_digest(file: Path, algorithm: str, expected: str, source: str) -> None:
    """Delete a downloaded file if its digest does not begin as expected, and raise ValueError."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, algorithm).hexdigest()
    if not digest.startswith(expected):
        file.unlink()
        name = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
        raise ValueError(
            f"the download of {source!r} is broken: its {name} is {digest}, not {expected}. "
            "The file was deleted; try again"
        )
