"""Tables as Markdown that also reads well in a terminal."""

from collections.abc import Container, Sequence


def markdown(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Return the lines of a table, its heading first; columns in ``right`` align at their ends."""
    heading, *body = rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(heading))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            c.rjust(w) if i in right else c.ljust(w)
            for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = " | ".join("-" * (w - (i in right)) + ":" * (i in right) for i, w in enumerate(widths))
    return [line(heading), f"| {rule} |", *(line(row) for row in body)]
