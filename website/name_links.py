"""Public names in the text of a page, as links to the reference."""

import re
from collections.abc import Iterable

# A block of code, a heading, a link: what stays as it is; or a name in backticks, with arguments.
PARTS = re.compile(
    r"^(?P<fence>```|~~~).*?^(?P=fence)\s*$"
    r"|^#[^\n]*"
    r"|!?\[(?:[^\[\]]|\[[^\]]*\])*\](?:\([^)]*\)|\[[^\]]*\])"
    r"|<[^>]*>"
    r"|(?<!`)`(?P<code>(?:resnet_builder\.)?(?P<name>\w+(?:\.\w+)?)(?:\([^`]*\))?)`(?!`)",
    re.MULTILINE | re.DOTALL,
)
# A name that the code of a page gives to something else.
ASSIGNED = re.compile(r"^(\w+) = ", re.MULTILINE)
METHODS = ("build", "from_config", "from_preset", "from_json", "to_json")


def with_links(markdown: str, public: Iterable[str]) -> str:
    """The page with a link from the first mention of each name in a section.

    Args:
        markdown: the page.
        public: the names that the reference has.
    """
    known = {*public, *METHODS, *(f"ResnetBuilder.{name}" for name in METHODS)}
    known -= {*ASSIGNED.findall(markdown)}
    linked: set[str] = set()

    def replaced(match: re.Match[str]) -> str:
        if match[0].startswith("#"):
            linked.clear()
        name = match["name"]
        if name not in known or name in linked:
            return match[0]
        linked.add(name)
        target = f"ResnetBuilder.{name}" if name in METHODS else name
        return f"[`{match['code']}`][resnet_builder.{target}]"

    return PARTS.sub(replaced, markdown)
