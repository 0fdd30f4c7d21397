"""Sources of weights, opened: files, the Hugging Face Hub, the URLs of the table."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ..common.hub import check_digest, download, is_repository
from ..presets.published_weights import PublishedWeights, in_table
from .checkpoints import Checkpoint
from .keras_hub import BACKBONE_FILE, CONFIG_FILE, HEAD_FILE
from .sources import FOLDER_FILES, open_checkpoint


def opened(source: Any) -> AbstractContextManager[Checkpoint]:
    """Open a source of `load_weights`, downloaded if necessary; an opened one stays open.

    Raises:
        ConnectionError: a URL cannot be reached, and its file is not in the cache.
        OSError, ImportError, ValueError: as in `download`.
    """
    if isinstance(source, Checkpoint):
        return nullcontext(source)
    if hasattr(source, "layers") and not isinstance(source, type):
        from .described_graph import of_model  # it needs Keras, which a model has loaded

        return nullcontext(of_model(source))
    return open_checkpoint(_fetched(source))


def _fetched(source: Any) -> Any:
    """The file of a published checkpoint or of a repository; other sources as they are."""
    if isinstance(source, str) and (weights := in_table(source)):
        is_url = weights.source.startswith("https://")
        return _from_url(weights) if is_url else from_hub(weights.source)
    return from_hub(source) if is_repository(source) else source


def from_hub(repository: str) -> Path:
    """Return the checkpoint of a repository: a file, or the folder of a preset of keras-hub.

    Raises:
        OSError, ImportError, ValueError: as in `download`.
    """
    return download(repository, tuple(FOLDER_FILES), {BACKBONE_FILE: (HEAD_FILE, CONFIG_FILE)})


def _from_url(weights: PublishedWeights) -> Path:
    """The file in the cache of keras.applications, downloaded if it is not there."""
    import keras  # for its cache; the hub's files do not need it

    try:
        file = Path(keras.utils.get_file(origin=weights.source, cache_subdir="models"))
    except OSError:
        raise
    except Exception as error:  # what Keras raises if the server cannot be reached
        raise ConnectionError(
            f"{weights.name!r} is not in the cache and cannot be downloaded ({error}): on a "
            f"machine with access, download {weights.source}, and give its path"
        ) from error
    algorithm, _, digest = weights.checksum.partition(":")
    if digest:
        check_digest(file, algorithm, digest, weights.source)
    return file
