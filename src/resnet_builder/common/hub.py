"""Files of the Hugging Face Hub, through huggingface_hub: its cache and progress bar."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from .checks import of_extra

# owner/name, optionally followed by @ and a revision.
REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")

# Endings of text that names a file and not a repository. The format is recognised by the content.
FILE_ENDINGS = (
    *(".safetensors", ".json", ".h5", ".keras", ".npz"),
    *(".pth", ".pt", ".bin", ".ckpt", ".tar", ".pkl"),
)


def is_repository(source: object) -> bool:
    """Return whether a source looks like a repository's name and not like a path."""
    if not isinstance(source, str) or not REPOSITORY.fullmatch(source):
        return False
    reads_as_a_path = source.startswith(".") or source.lower().endswith(FILE_ENDINGS)
    return not reads_as_a_path and not Path(source).parent.is_dir()


def download(
    repository: str,
    files: Sequence[str],
    companions: Mapping[str, Callable[[Path], Sequence[str]]] | None = None,
) -> Path:
    """Return the first of some files that a repository has, from the cache or the hub.

    Args:
        repository: a name such as `timm/resnet18.tv_in1k`, optionally with `@` and a revision.
        files: file names, in the order of preference; a file in the cache goes first.
        companions: of a file, a function of its path that returns others that belong to it, of
            which the repository may lack some. The folder with all of them is returned then.

    Raises:
        ImportError: huggingface_hub is not installed.
        FileNotFoundError: there is no such repository, or none of the files in it.
        ConnectionError: no file is in the cache and the hub cannot be reached.
        OSError: the cache cannot be written.
        ValueError: the downloaded file does not have the hash that the hub states.
    """
    name, _, revision = repository.partition("@")
    hub = of_extra("huggingface_hub.errors", f"loading {name!r} from the Hugging Face Hub")
    asked = _Repository(hub, name, revision or None)
    for file in sorted(files, key=lambda file: not asked.in_cache(file)):
        if path := asked.get(file):
            if not (find := (companions or {}).get(file)):
                return path
            same_commit = replace(asked, revision=path.parent.name)
            for other in find(path):
                if same_commit.in_cache(other) is not None:
                    same_commit.get(other)
            return path.parent
    if asked.unreachable:
        raise ConnectionError(
            f"{repository!r} is not in the cache and the Hugging Face Hub cannot be reached: on a "
            f"machine with access, download {files[0]} from https://huggingface.co/{name}, and "
            "give its path. HF_HUB_OFFLINE=1 in the environment saves the attempts"
        ) from asked.unreachable
    raise FileNotFoundError(f"{repository!r} has none of {', '.join(files)}")


@dataclass
class _Repository:
    """A repository of the hub, which is no longer asked after it could not be reached once."""

    hub: ModuleType
    name: str
    revision: str | None
    unreachable: Exception | None = None

    def in_cache(self, file: str) -> bool | None:
        """Return whether a file is in the cache; None if it is known that there is no such file."""
        path = self.hub.try_to_load_from_cache(self.name, file, revision=self.revision)
        return isinstance(path, str) if path is None or isinstance(path, str) else None

    def get(self, file: str) -> Path | None:
        """Return the path of a file; None if the repository or the unreachable hub lacks it."""
        errors = self.hub.errors
        if not self.unreachable and not self.in_cache(file):
            self._ask(file)
        try:
            path = self.hub.hf_hub_download(
                self.name, file, revision=self.revision, local_files_only=bool(self.unreachable)
            )
        except errors.LocalEntryNotFoundError as error:
            self.unreachable = self.unreachable or error
            return None
        except errors.RemoteEntryNotFoundError:
            return None
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
            where = f"{self.name}@{self.revision}" if self.revision else self.name
            raise FileNotFoundError(
                f"there is no file or folder {where!r} here, and no repository of that name on the "
                "Hugging Face Hub, or it is private"
            ) from error
        blob = Path(path).resolve()
        if re.fullmatch(r"[0-9a-f]{64}", blob.name):  # large files are named by their hash
            check_digest(blob, "sha256", blob.name, self.name)
        return Path(path)

    def _ask(self, file: str) -> None:
        """Ask once whether the hub can be reached: `hf_hub_download` tries for 24 seconds."""
        try:
            url = self.hub.hf_hub_url(self.name, file, revision=self.revision)
            self.hub.get_hf_file_metadata(url)
        except self.hub.errors.HfHubHTTPError:
            pass  # the hub has answered, and hf_hub_download says what
        except Exception as error:  # an error of the HTTP library, which depends on the version
            self.unreachable = error


def check_digest(file: Path, algorithm: str, expected: str, source: str) -> None:
    """Delete a downloaded file if its digest does not begin as expected, and raise ValueError."""
    import hashlib  # which loads OpenSSL

    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, algorithm).hexdigest()
    if not digest.startswith(expected):
        file.unlink()
        name = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
        raise ValueError(
            f"the download of {source!r} is broken: its {name} is {digest}, not {expected}. "
            "The file was deleted; try again"
        )
