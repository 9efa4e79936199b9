"""The supported ops, one file each. A new file in this folder is found by itself."""

import importlib
import pkgutil
from functools import cache

from outliernets.graph import Op


@cache
def registry() -> dict[str, type[Op]]:
    """Return the op classes by kind (``conv2d``), sorted."""
    kinds = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    modules = [importlib.import_module(f"{__name__}.{kind}") for kind in kinds]
    return {m.__name__.rpartition(".")[2]: _op_class(m.__dict__, m.__name__) for m in modules}


def _op_class(names: dict[str, object], module: str) -> type[Op]:
    return next(
        c
        for c in names.values()
        if isinstance(c, type) and issubclass(c, Op) and c.__module__ == module
    )


@cache
def by_tflite_name() -> dict[str, type[Op]]:
    """Return the op classes by the name TensorFlow Lite gives them (``CONV_2D``)."""
    return {name: op for op in registry().values() for name in op.tflite}
