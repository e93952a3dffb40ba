"""Passwords that are made up at random and easy to type."""

from __future__ import annotations

import secrets
from typing import Final

_TEXT: Final = (
    "acorn amber anchor apple april arrow autumn badge bakery balcony bamboo banner barley basket beacon beetle "
    "bench berry birch biscuit blanket blossom bottle bramble branch bridge brook bucket butter button cabin "
    "camera candle canvas canyon carbon carpet carrot castle cedar cellar cherry chimney cinema circle citrus "
    "clover cobalt coconut comet copper coral cotton cradle crane crayon cricket crystal cushion daisy dancer "
    "desert diamond dolphin donkey dragon drawer eagle easel echo elbow ember engine fabric falcon feather "
    "fennel ferry fiddle finch flame flannel flute forest fossil fountain fox galaxy garden garlic garnet "
    "gazelle ginger glacier glove goblet granite grape gravel hammer harbor harvest hazel heron hickory hollow "
    "honey horizon hornet island ivory jacket jasmine jelly jigsaw juniper kayak kettle kitten ladder lagoon "
    "lantern laurel lavender lemon lentil lilac linen lizard lobster lotus magnet mango maple marble meadow "
    "melon mirror mitten monsoon mosaic muffin mustard napkin nectar needle nickel nutmeg oasis ocean olive "
    "onion orange orbit orchid otter oyster paddle panther paper parsley pasture peach pebble pelican pencil "
    "pepper piano pigeon pillow pine planet plum pocket pollen pony poppy potter prairie pumpkin puzzle quartz "
    "quill rabbit radish raven ribbon river robin rocket saddle saffron salmon sandal satin scarf seashell "
    "shadow shovel silver sketch sparrow spinach spruce squash stable summer sunset swallow tangle teapot "
    "temple thimble thistle thunder ticket timber tomato trumpet tulip tundra turtle umber umbrella valley "
    "vanilla velvet violin walnut walrus water willow window winter zephyr"
)
_WORDS: Final = tuple(_TEXT.split())


def new_passphrase() -> str:
    """Four words and a number, such as `cedar-lagoon-onion-heron-472`: about 42 bits, 23 letters or more."""
    words = [secrets.choice(_WORDS) for _ in range(4)]
    return "-".join([*words, str(100 + secrets.randbelow(900))])
