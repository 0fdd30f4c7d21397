"""The ideas of the families, from ideas.toml."""

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

IDEAS = Path(__file__).with_name("ideas.toml")


class Idea(NamedTuple):
    """A family's entry in ideas.toml, which says what the fields are."""

    slug: str
    preset: str
    en: str
    zh: str
    chinese: str = ""
    against: str = "resnet50"
    block: tuple[int, int] = (1, 0)  # the last one of stage 1


@cache
def ideas() -> dict[str, Idea]:
    """The ideas by the title of their family."""
    tables = tomllib.loads(IDEAS.read_text(encoding="utf-8"))
    return {title: Idea(**fields) for title, fields in tables.items()}


def family_path(title: str) -> str:
    """The path of a family's page in docs/."""
    return f"families/{ideas()[title].slug}.md"
