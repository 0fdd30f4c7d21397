"""Pages as notebooks: their files, written by `python -m tools.notebooks`, and their buttons."""

COLAB = "https://colab.research.google.com/github/resnet-builder/resnet-builder/blob/main/"
NOT_NOTEBOOKS = ("howto/index",)
WORDS = {"": "Open as a notebook in Colab", ".zh": "在 Colab 中打开为 notebook"}


def notebook(page: str) -> str | None:
    """The path of a page's notebook in the repository; None if it has none.

    Args:
        page: path in docs/, such as `"howto/unet.zh.md"`.
    """
    name = page.removesuffix(".md")
    plain = name.removesuffix(".zh")
    if plain == "tour":
        return "notebooks/tour.ipynb"
    if plain in NOT_NOTEBOOKS or not plain.startswith("howto/"):
        return None
    return f"notebooks/{name.removeprefix('howto/')}.ipynb"


def with_button(markdown: str, page: str) -> str:
    """A page with a link below its heading that opens its notebook in Colab."""
    path = notebook(page)
    if path is None:
        return markdown
    words = WORDS[".zh" if page.endswith(".zh.md") else ""]
    heading, _, rest = markdown.partition("\n")
    return f"{heading}\n\n[{words}]({COLAB}{path}){{ .colab }}\n{rest}"
