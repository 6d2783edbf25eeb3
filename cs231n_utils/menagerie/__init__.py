"""The menagerie: pictures of animals, plants and things, drawn by code, with exact masks."""

from .scenes import CLASS_NAMES, Picture, draw

__all__ = ["CLASS_NAMES", "Picture", "draw"]
