"""Texts for Graphviz's labels, which are XML."""

import html
import re

# All but the characters of XML 1.0: https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    """The text with entities, and with � for what XML has no way to write."""
    return html.escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))
