"""Text for Graphviz's labels, which are XML."""

import html
import re

# Characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    """Escape a text, with � for characters that XML does not allow."""
    return html.escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))
