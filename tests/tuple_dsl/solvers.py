"""Solvers in the shape the field knows."""

from constants import *
from dsl import *


def solve_67a3c6ac(I):
    O = flip_columns(I)
    return O


def solve_68b16354(I):
    O = flip_rows(I)
    return O


def solve_74dd1130(I):
    O = flip_diagonal(I)
    return O


def solve_3c9b0459(I):
    x1 = compose(flip_rows, flip_columns)
    O = x1(I)
    return O


def solve_ed36ccf7(I):
    x1 = power(turn, THREE)
    O = x1(I)
    return O


def solve_6d0aefbc(I):
    x1 = fork(beside, identity, flip_columns)
    O = x1(I)
    return O


def solve_8be77c9e(I):
    x1 = flip_rows(I)
    O = above(I, x1)
    return O


def solve_4c4377d9(I):
    x1 = flip_rows(I)
    O = above(x1, I)
    return O


def solve_7fe24cdd(I):
    x1 = turn(I)
    x2 = turn(x1)
    x3 = turn(x2)
    x4 = beside(I, x1)
    x5 = beside(x3, x2)
    O = above(x4, x5)
    return O


def solve_62c24649(I):
    x1 = flip_columns(I)
    x2 = beside(I, x1)
    x3 = flip_rows(x2)
    O = above(x2, x3)
    return O


def solve_c59eb873(I):
    O = magnified(I, TWO)
    return O


def solve_9172f3a0(I):
    x1 = rbind(magnified, THREE)
    O = x1(I)
    return O


def solve_d10ecb37(I):
    O = cropped(I, ORIGIN, TWO_BY_TWO)
    return O


def solve_b1948b0a(I):
    O = replaced(I, SIX, TWO)
    return O


def solve_d511f180(I):
    O = switched(I, FIVE, EIGHT)
    return O


def solve_1cf80156(I):
    x1 = components(I, T, T, F)
    x2 = first(x1)
    O = subgrid(x2, I)
    return O


def solve_be94b721(I):
    x1 = components(I, T, F, F)
    x2 = argmax(x1, size)
    O = subgrid(x2, I)
    return O


def solve_23b5c85d(I):
    x1 = components(I, T, T, F)
    x2 = argmin(x1, size)
    O = subgrid(x2, I)
    return O


def solve_a5313dff(I):
    x1 = components(I, T, F, T)
    x2 = rbind(touches_border, I)
    x3 = compose(negate, x2)
    x4 = matching(main_colour, ZERO)
    x5 = fork(both, x3, x4)
    x6 = mfilter(x1, x5)
    O = filled(I, ONE, x6)
    return O


def solve_25ff71a9(I):
    x1 = components(I, T, T, F)
    x2 = first(x1)
    x3 = blank(ZERO, THREE_BY_THREE)
    x4 = moved(x2, DOWN)
    O = painted(x3, x4)
    return O


def solve_1e0a9b12(I):
    x1 = flip_diagonal(I)
    x2 = rbind(ordered, identity)
    x3 = apply(x2, x1)
    O = flip_diagonal(x3)
    return O


def solve_made_up_boxes(I):
    x1 = palette(I)
    x2 = lbind(colour_count, I)
    x3 = argmax(x1, x2)
    x4 = components(I, T, T, F)
    x5 = compose(negative, size)
    x6 = ordered(x4, x5)
    x7 = first(x6)
    x8 = inside(x7)
    O = filled(I, x3, x8)
    return O
