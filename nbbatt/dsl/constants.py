"""The built-in language's constants: upper-case names, each with the type it may stand for."""

from __future__ import annotations

from nbbatt.dsl.values import Colour, Diagonal, Direction, Neighbours

BLACK: Colour = Colour(0)
BLUE: Colour = Colour(1)
RED: Colour = Colour(2)
GREEN: Colour = Colour(3)
YELLOW: Colour = Colour(4)
GREY: Colour = Colour(5)
PINK: Colour = Colour(6)
ORANGE: Colour = Colour(7)
CYAN: Colour = Colour(8)
MAROON: Colour = Colour(9)

UP: Direction = Direction(0)
DOWN: Direction = Direction(1)
LEFT: Direction = Direction(2)
RIGHT: Direction = Direction(3)

UP_LEFT: Diagonal = Diagonal(0)
UP_RIGHT: Diagonal = Diagonal(1)
DOWN_LEFT: Diagonal = Diagonal(2)
DOWN_RIGHT: Diagonal = Diagonal(3)

FOUR: Neighbours = Neighbours(4)
EIGHT: Neighbours = Neighbours(8)
