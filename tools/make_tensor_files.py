"""Write tests/data/tensor_files: files that PyTorch writes. Wants PyTorch.

python -m tools.make_tensor_files
"""

import argparse
import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.files.tensor_recipe import BASE, FILES, ODD, arrays


class Part(nn.Module):
    """A layer, or layers by name."""


def module_of(tensors: dict[str, Any]) -> Part:
    """A module with the tensors, in modules by the dots in their names."""
    module = Part()
    for first in dict.fromkeys(name.partition(".")[0] for name in tensors):
        inside = {
            name.partition(".")[2]: tensor
            for name, tensor in tensors.items()
            if name.partition(".")[0] == first
        }
        if "" in inside:
            module.register_buffer(first, inside[""])
        else:
            module.add_module(first, module_of(inside))
    return module


def odd_tensors() -> dict[str, Any]:
    """The tensors of ODD, several of them with one storage."""
    base = torch.from_numpy(np.array(BASE))
    odd = {name: torch.from_numpy(np.array(ODD[name])) for name in ODD if name != "bfloat16"}
    odd["bfloat16"] = torch.arange(6).div(4).bfloat16()
    odd["transposed"] = base[10:34].view(2, 3, 2, 2).permute(1, 0, 3, 2)
    odd["strided"] = base.view(10, 12)[2:7:2, 1::3]
    odd["shared"] = base[5:8]
    odd["expanded"] = base[9].expand(7)
    return odd


def with_big_endian(content: bytes) -> bytes:
    """A file as a big-endian machine writes it, of one of float32."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w") as new:
        for name in old.namelist():
            member = old.read(name)
            if "/data/" in name:
                member = np.frombuffer(member, "<f4").astype(">f4").tobytes()
            new.writestr(name, b"big" if name.endswith("byteorder") else member)
    return written.getvalue()


def saved(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def write(folder: Path) -> None:
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays().items()}
    module = module_of(tensors)
    parameter = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([parameter])
    parameter.sum().backward()
    optimizer.step()
    training = {
        "state_dict": module.state_dict(),
        "args": argparse.Namespace(data=Path("data"), lr=0.1, tags=["a"]),
        "epoch": 3,
        "optimizer": optimizer.state_dict(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        script = io.BytesIO()
        torch.jit.save(torch.jit.script(module), script)
    floats = {name: tensor.float() for name, tensor in tensors.items()}
    old = {"_use_new_zipfile_serialization": False}
    files = {
        "training.pth.tar": saved(training),
        "training_legacy.pth": saved(training, **old),
        "module.pth": saved(module),
        "script.pt": script.getvalue(),
        "big_endian.pth": with_big_endian(saved(floats)),
        "odd.pth": saved(odd_tensors()),
        "odd_legacy.pth": saved({n: t for n, t in odd_tensors().items() if n != "uint16"}, **old),
    }
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write(FILES)
