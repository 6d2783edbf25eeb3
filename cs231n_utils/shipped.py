"""The files that come with the package: networks, pictures, and what is known about them."""

import json
from pathlib import Path
from typing import Any

from .downloads import DamagedFileError, MissingFileError

SHIPPED = Path(__file__).parent / "menagerie" / "shipped"

_RESTORE = "Install the lab again, or restore the file from its git repository."


def shipped_bytes(file_name: str, folder: Path = SHIPPED) -> bytes:
    """The content of a file of the package.

    Raises:
        MissingFileError: it isn't there.
    """
    try:
        return (folder / file_name).read_bytes()
    except FileNotFoundError:
        raise MissingFileError(
            f"{folder / file_name} is missing; it belongs to the package.\n{_RESTORE}"
        ) from None


def shipped_json(file_name: str, folder: Path = SHIPPED) -> dict[str, Any]:
    """The content of a JSON file of the package, an object.

    Raises:
        MissingFileError: it isn't there.
        DamagedFileError: it isn't JSON, or not an object.
    """
    content = shipped_bytes(file_name, folder)
    try:
        read = json.loads(content)
    except ValueError as error:
        raise damaged(file_name, str(error), folder) from error
    if not isinstance(read, dict):
        raise damaged(file_name, f"expected an object, got {type(read).__name__}", folder)
    return read


def damaged(file_name: str, problem: str, folder: Path = SHIPPED) -> DamagedFileError:
    """The error for a file of the package that isn't what it should be."""
    return DamagedFileError(f"{folder / file_name} is damaged: {problem}.\n{_RESTORE}")
