"""BibTeX: of this software, from CITATION.cff, and of the papers of the families."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from . import table_of

CITATION = Path(__file__).parents[1] / "CITATION.cff"


def citation() -> str:
    """The first paper and the software."""
    return bibtex(["1512.03385"], with_software=True)


def bibtex(papers: Iterable[str], *, with_software: bool = False) -> str:
    """A block of code with the entries of papers, by their numbers in the arXiv."""
    entries = [_paper(number) for number in papers]
    if with_software:
        software = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
        entries.append(_software(software))
    return "```bibtex\n{}\n```".format("\n\n".join(entries))


@cache
def _papers() -> dict[str, dict[str, str]]:
    return {row["arxiv"]: row for row in table_of("papers.csv")}


def _paper(number: str) -> str:
    row = _papers()[number]
    author, title = (re.match(r"\w+", row[field]) for field in ("authors", "title"))
    assert author, number
    assert title, number
    return _entry(
        f"@misc{{{author[0].lower()}{row['year']}{title[0].lower()},",
        title=f"{{{row['title']}}}",
        author=row["authors"],
        year=row["year"],
        eprint=number,
        archiveprefix="arXiv",
    )


def _software(software: dict[str, Any]) -> str:
    return _entry(
        "@software{resnet_builder,",
        title=f"{{{software['title']}: {software['abstract']}}}",
        author=f"{{{software['authors'][0]['name']}}}",
        version=software["version"],
        url=software["repository-code"],
    )


def _entry(head: str, **fields: object) -> str:
    return "\n".join([head, *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"])
