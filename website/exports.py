"""The table of the page on export."""

from resnet_builder.common.tables import Table

from . import table_of


def exports_table() -> str:
    """What `python -m tools.exports` has measured: a row for each network and format."""
    measured = table_of("exports.csv")
    reasons: dict[str, list[str]] = {}
    for row in measured:
        if row["reason"]:
            reasons.setdefault(row["reason"], []).append(f"{row['preset']} ({row['format']})")
    return Table(
        header=("network", "format", "difference", "MB", "ms", "of Keras's time"),
        rows=tuple(
            (
                f"[{row['preset']}](../gallery/{row['preset']}.md)",
                row["format"],
                row["difference"],
                f"{int(row['bytes']) / 10**6:.1f}" if row["bytes"] else "",
                f"{1000 * float(row['seconds']):.1f}" if row["seconds"] else "",
                _share(row),
            )
            for row in measured
        ),
        note="\n".join(f"{', '.join(cells)}: {reason}" for reason, cells in reasons.items()),
    ).to_markdown()


def _share(row: dict[str, str]) -> str:
    if not row["seconds"]:
        return ""
    return f"{float(row['seconds']) / float(row['keras_seconds']):.2f}"
