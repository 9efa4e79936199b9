"""The Jinja2 environment: strict, line statements with ``%%``, and the filters C templates use."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from outliernets import __version__, resources

LINE_WIDTH = 96


@cache
def environment() -> Environment:
    """Return the environment all C templates are rendered in."""
    env = Environment(
        loader=FileSystemLoader(resources.templates()),
        undefined=StrictUndefined,
        line_statement_prefix="%%",
        line_comment_prefix="%#",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    env.filters["c_array"] = c_array
    env.globals["version"] = __version__
    return env


def render(template: str, **context: Any) -> str:
    """Render ``templates/<template>``; a name the context lacks is an error."""
    return environment().get_template(template).render(context).lstrip("\n")


def render_op(kind: str, context: Mapping[str, Any]) -> str:
    """Render the C of one node."""
    return render(f"ops/{kind}.c.j2", **context).strip()


def c_array(values: Iterable[int], indent: int = 4) -> str:
    """Return integers separated by commas, in lines of at most LINE_WIDTH characters."""
    lines, line = [], " " * indent
    for value in values:
        item = f"{c_literal(int(value))}, "
        if len(line) + len(item) > LINE_WIDTH + 1:
            lines.append(line.rstrip())
            line = " " * indent
        line += item
    lines.append(line.rstrip().rstrip(","))
    return "\n".join(lines)


def c_literal(value: int) -> str:
    """Return an integer as C reads it; the smallest int32 has no literal of its own."""
    return "INT32_MIN" if value == -(2**31) else str(value)
