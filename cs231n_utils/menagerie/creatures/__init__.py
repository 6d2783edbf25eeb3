"""The twenty classes: how each is sketched, and how far it may be turned."""

import math
from collections.abc import Callable
from typing import NamedTuple

from ..canvas import Pen
from ..colours import Palette
from ..dice import Dice
from . import birds, garden, sea, things


class Creature(NamedTuple):
    """A class of the menagerie."""

    sketch: Callable[[Pen, Dice, Palette], None]  # notes the object's shapes on the pen
    tilt: float  # the largest turn either way, radians


_UPRIGHT, _TILTED, _ANY = 0.3, 0.8, math.pi

CREATURES: dict[str, Creature] = {
    "bicycle": Creature(things.bicycle, _UPRIGHT),
    "butterfly": Creature(garden.butterfly, _TILTED),
    "cactus": Creature(garden.cactus, _UPRIGHT),
    "crab": Creature(sea.crab, _UPRIGHT),
    "goldfish": Creature(sea.goldfish, _UPRIGHT),
    "hot-air balloon": Creature(things.balloon, _UPRIGHT),
    "jellyfish": Creature(sea.jellyfish, _UPRIGHT),
    "ladybug": Creature(garden.ladybug, _ANY),
    "mushroom": Creature(garden.mushroom, _UPRIGHT),
    "owl": Creature(birds.owl, _UPRIGHT),
    "penguin": Creature(birds.penguin, _UPRIGHT),
    "sailboat": Creature(things.sailboat, _UPRIGHT),
    "snail": Creature(garden.snail, _UPRIGHT),
    "starfish": Creature(sea.starfish, _ANY),
    "stingray": Creature(sea.stingray, _TILTED),
    "sunflower": Creature(garden.sunflower, _UPRIGHT),
    "tarantula": Creature(garden.tarantula, _ANY),
    "teapot": Creature(things.teapot, _UPRIGHT),
    "turtle": Creature(sea.turtle, _ANY),
    "umbrella": Creature(things.umbrella, _UPRIGHT),
}
