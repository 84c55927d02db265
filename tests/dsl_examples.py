"""Worked examples of the built-in language (a text, the grid it starts from, the result); random grids."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from nbbatt import dsl
from nbbatt.dsl.values import Object, Objects
from nbbatt.nodes import call, leaf_value, ordered
from nbbatt.parser import parse_defs

LANGUAGE = dsl.language()


def grid(text: str) -> np.ndarray:
    """``12/30`` as a read-only grid."""
    array = np.array([[int(cell) for cell in row] for row in text.split("/")], np.uint8)
    array.setflags(write=False)
    return array


def shown(value: Any) -> Any:
    """A value as text that an example can state."""
    if isinstance(value, np.ndarray):
        signs = ".#" if value.dtype == np.bool_ else "0123456789"
        return "/".join("".join(signs[int(cell)] for cell in row) for row in value)
    if isinstance(value, Object):
        top, left, _, _ = value.box
        return f"{shown(value.crop)} at {top},{left}"
    if isinstance(value, Objects | tuple):
        return [shown(one) for one in value]
    return value


def evaluated(text: str, start: str) -> Any:
    """The value of an expression, or of lines that end in one, over a grid."""
    *before, last = text.split("\n")
    body = "\n    ".join([*before, f"return {last}"])
    root = parse_defs(f"def example(I):\n    {body}\n", LANGUAGE)[0][1]
    values: dict[bytes, Any] = {}
    for node in ordered(root):
        if node.kind == "call":
            values[node.digest] = call([values[arg.digest] for arg in node.args])
        else:
            values[node.digest] = leaf_value(node, LANGUAGE, {"I": grid(start)})
    return values[root.digest]


EXAMPLES: dict[str, tuple[str, str, Any]] = {
    # geometry
    "rot90": ("rot90(I)", "123/456", "41/52/63"),
    "rot180": ("rot180(I)", "123/456", "654/321"),
    "rot270": ("rot270(I)", "123/456", "36/25/14"),
    "mirror_lr": ("mirror_lr(I)", "123/456", "321/654"),
    "mirror_ud": ("mirror_ud(I)", "123/456", "456/123"),
    "transpose": ("transpose(I)", "123/456", "14/25/36"),
    "anti_transpose": ("anti_transpose(I)", "123/456", "63/52/41"),
    "height": ("height(I)", "123/456", 2),
    "width": ("width(I)", "123/456", 3),
    "crop": ("crop(I, 1, 0, 1, 2)", "123/456", "45"),
    "crop_to": ("crop_to(I, cells_of(I, RED))", "102/020/345", "02/20"),
    "trim": ("trim(I)", "000/012/000", "12"),
    "drop_empty": ("drop_empty(I)", "102/000/304", "12/34"),
    "drop_repeats": ("drop_repeats(I)", "1122/1122/3344", "12/34"),
    "top_half": ("top_half(I)", "12/34/56", "12"),
    "bottom_half": ("bottom_half(I)", "12/34/56", "56"),
    "left_half": ("left_half(I)", "123/456", "1/4"),
    "right_half": ("right_half(I)", "123/456", "3/6"),
    "tile": ("tile(I, 2, 3)", "12", "121212/121212"),
    "scale_up": ("scale_up(I, 2)", "12", "1122/1122"),
    "scale_down": ("scale_down(I, 2)", "1122/3344", "12"),
    "shift": ("shift(I, -1, 1)", "12/34", "03/00"),
    "gravity": ("gravity(I, RIGHT)", "102/340", "012/034"),
    # colour
    "most_common": ("most_common(I)", "002/210", 0),
    "least_common": ("least_common(I)", "002/210", 1),
    "main_colour": ("main_colour(I)", "002/210", 2),
    "rare_colour": ("rare_colour(I)", "002/210", 1),
    "colour_at": ("colour_at(I, -1, 0)", "12/34", 3),
    "count_colours": ("count_colours(I)", "012/210", 2),
    "replace": ("replace(I, RED, CYAN)", "120/202", "180/808"),
    "swap_colours": ("swap_colours(I, RED, BLUE)", "120/202", "210/101"),
    "keep_colour": ("keep_colour(I, RED)", "120/202", "020/202"),
    "remove_colour": ("remove_colour(I, RED)", "120/202", "100/000"),
    "recolour": ("recolour(I, GREEN)", "120/202", "330/303"),
    "invert": ("invert(I)", "120/202", "002/020"),
    "canvas": ("canvas(1, 3, GREY)", "0", "555"),
    "canvas_like": ("canvas_like(I, GREY)", "12/34", "55/55"),
    # masks
    "content": ("content(I)", "102", "#.#"),
    "cells_of": ("cells_of(I, RED)", "102", "..#"),
    "same_cells": ("same_cells(I, mirror_lr(I))", "121/122", "###/.#."),
    "mask_not": ("mask_not(content(I))", "102", ".#."),
    "mask_and": ("mask_and(content(I), cells_of(I, RED))", "102", "..#"),
    "mask_or": ("mask_or(cells_of(I, BLUE), cells_of(I, RED))", "102", "#.#"),
    "mask_xor": ("mask_xor(content(I), cells_of(I, RED))", "102", "#.."),
    "mask_minus": ("mask_minus(content(I), cells_of(I, BLUE))", "102", "..#"),
    "border": ("border(I)", "000/000/000", "###/#.#/###"),
    "neighbours": ("neighbours(content(I), FOUR)", "000/010/000", ".#./#.#/.#."),
    "interior": ("interior(content(I), FOUR)", "0100/1110/0100", "..../.#../...."),
    "enclosed": ("enclosed(content(I))", "0100/1010/0100", "..../.#../...."),
    "cells_under": ("cells_under(I, components(I, FOUR))", "120/003", "##./..#"),
    "count_cells": ("count_cells(content(I))", "120/003", 3),
    "to_grid": ("to_grid(content(I), CYAN)", "120/003", "880/008"),
    "fill": ("fill(I, cells_of(I, RED), CYAN)", "120/003", "180/003"),
    "keep_cells": ("keep_cells(I, border(I))", "111/121/111", "111/101/111"),
    "choose": ("choose(content(I), I, mirror_lr(I))", "120", "121"),
    "stamp": ("stamp(content(I), I)", "10/02", "1000/0200/0010/0002"),
    # objects
    "components": ("components(I, FOUR)", "110/013/200", ["11/01 at 0,0", "3 at 1,2", "2 at 2,0"]),
    "clusters": ("clusters(I, EIGHT)", "1200/0030/0000/0004", ["120/003 at 0,0", "4 at 3,3"]),
    "colour_groups": ("colour_groups(I)", "201/100", ["001/100 at 0,0", "2 at 0,0"]),
    "largest": ("largest(components(I, FOUR))", "1022/0002", "22/02 at 0,2"),
    "smallest": ("smallest(components(I, FOUR))", "1022/0002", "1 at 0,0"),
    "nth": ("nth(components(I, FOUR), -1)", "1022/0002", "22/02 at 0,2"),
    "count": ("count(components(I, FOUR))", "1022/0002", 2),
    "size": ("size(largest(components(I, FOUR)))", "1022/0002", 3),
    "colour_of": ("colour_of(largest(components(I, FOUR)))", "1022/0002", 2),
    "of_colour": ("of_colour(components(I, FOUR), RED)", "102", ["2 at 0,2"]),
    "of_size": ("of_size(components(I, FOUR), 2)", "1022", ["22 at 0,2"]),
    "at_border": ("at_border(components(I, FOUR), I)", "2000/0100/0000", ["2 at 0,0"]),
    "without": ("without(components(I, FOUR), of_size(components(I, FOUR), 1))", "1022", ["22 at 0,2"]),
    "crop_object": ("crop_object(largest(components(I, FOUR)))", "100/311", "11"),
    "crop_box": ("crop_box(I, largest(components(I, FOUR)))", "130/110", "13/11"),
    "crops": ("crops(components(I, FOUR))", "1022", ["1", "22"]),
    "paint": ("paint(canvas_like(I, GREY), components(I, FOUR))", "1022", "1522"),
    "erase": ("erase(I, smallest(components(I, FOUR)))", "1022", "0022"),
    "dye": ("dye(components(I, FOUR), CYAN)", "1022", ["8 at 0,0", "88 at 0,2"]),
    "dye_object": ("dye_object(largest(components(I, FOUR)), CYAN)", "1022", "88 at 0,2"),
    "move": ("move(largest(components(I, FOUR)), 1, -2)", "1022", "22 at 1,0"),
    "box_of": ("box_of(largest(components(I, FOUR)))", "120/110", "11/11 at 0,0"),
    # lines
    "extend": ("extend(I, RIGHT)", "0100200", "0111222"),
    "extend_diagonal": ("extend_diagonal(I, DOWN_LEFT)", "003/000/100", "003/030/100"),
    "connect_rows": ("connect_rows(I)", "1001020", "1111020"),
    "connect_columns": ("connect_columns(I)", "1/0/1/2", "1/1/1/2"),
    "full_rows": ("full_rows(cells_of(I, RED))", "02/10", "##/.."),
    "full_columns": ("full_columns(cells_of(I, RED))", "02/10", ".#/.#"),
    # assembly
    "hconcat": ("hconcat(I, mirror_lr(I))", "12/34", "1221/3443"),
    "vconcat": ("vconcat(I, mirror_ud(I))", "12/34", "12/34/34/12"),
    "overlay": ("overlay(I, mirror_lr(I))", "120", "121"),
    "unfold": ("unfold(I)", "12/34", "1221/3443/3443/1221"),
    "surround": ("surround(I, 1, GREY)", "12", "5555/5125/5555"),
    "cut": ("cut(I, 1, 2)", "1234/5678", ["12/56", "34/78"]),
    "split": ("split(I)", "12534/56578", ["12/56", "34/78"]),
    "panel": ("panel(cut(I, 1, 2), -1)", "1234", "34"),
    "odd_one_out": ("odd_one_out(cut(I, 1, 3))", "121012", "10"),
    "most_repeated": ("most_repeated(cut(I, 1, 3))", "121012", "12"),
    "complete_tiling": ("complete_tiling(I, BLACK)", "1212/3404/1210", "1212/3434/1212"),
    # combinators
    "compose": ("x1 = compose(mirror_lr, transpose)\nx1(I)", "123/456", "41/52/63"),
    "fork": ("x1 = fork(hconcat, mirror_lr, mirror_ud)\nx1(I)", "12/34", "2134/4312"),
    "bind_first": ("x1 = bind_first(overlay, I)\nx1(mirror_lr(I))", "120", "121"),
    "bind_last": ("x1 = bind_last(cells_of, RED)\nx1(I)", "120", ".#."),
    "repeat": ("x1 = repeat(rot90, 3)\nx1(I)", "123/456", "36/25/14"),
    "map_objects": ("map_objects(box_of, components(I, FOUR))", "10/11", ["11/11 at 0,0"]),
    "map_grids": ("map_grids(mirror_lr, cut(I, 1, 2))", "1234", ["21", "43"]),
    "fold": ("fold(vconcat, cut(I, 1, 2))", "1234", "12/34"),
    "object_of_most": ("object_of_most(size, components(I, FOUR))", "1022", "22 at 0,2"),
    "object_of_least": ("object_of_least(size, components(I, FOUR))", "2201", "1 at 0,3"),
    "grid_of_most": ("grid_of_most(count_colours, cut(I, 1, 2))", "1123", "23"),
    "grid_of_least": ("grid_of_least(count_colours, cut(I, 1, 2))", "2311", "11"),
    "objects_with": ("objects_with(colour_of, 2, components(I, FOUR))", "1022", ["22 at 0,2"]),
}

OUTSIDE: dict[str, list[tuple[str, str]]] = {
    "crop": [("crop(I, 0, 0, 3, 1)", "12/34"), ("crop(I, -1, 0, 1, 1)", "12"), ("crop(I, 0, 0, 0, 1)", "12")],
    "crop_to": [("crop_to(I, cells_of(I, RED))", "11"), ("crop_to(I, content(rot90(I)))", "11")],
    "trim": [("trim(I)", "00")],
    "drop_empty": [("drop_empty(I)", "00")],
    "top_half": [("top_half(I)", "12")],
    "right_half": [("right_half(I)", "1/2")],
    "tile": [("tile(I, 0, 1)", "12"), ("tile(I, -2, -2)", "12"), ("tile(I, 1, 1000000000)", "12")],
    "scale_up": [("scale_up(I, 0)", "12"), ("scale_up(I, 31)", "12")],
    "scale_down": [("scale_down(I, 2)", "123"), ("scale_down(I, 0)", "12")],
    "gravity": [("gravity(I, 4)", "12")],
    "main_colour": [("main_colour(I)", "00")],
    "colour_at": [("colour_at(I, 1, 0)", "12")],
    "replace": [("replace(I, BLUE, 10)", "12"), ("replace(I, -1, BLUE)", "12")],
    "canvas": [("canvas(0, 1, BLUE)", "1"), ("canvas(61, 1, BLUE)", "1"), ("canvas(1, 1, 300)", "1")],
    "mask_and": [("mask_and(content(I), content(rot90(I)))", "12")],
    "neighbours": [("neighbours(content(I), 5)", "12")],
    "stamp": [("stamp(content(tile(I, 5, 5)), tile(I, 5, 5))", "12/34")],
    "components": [("components(I, 6)", "12")],
    "largest": [("largest(components(I, FOUR))", "00")],
    "nth": [("nth(components(I, FOUR), 1)", "01")],
    "crop_box": [("crop_box(I, move(largest(components(I, FOUR)), 1, 0))", "12")],
    "move": [("move(largest(components(I, FOUR)), 500, 0)", "12")],
    "extend_diagonal": [("extend_diagonal(I, 4)", "12")],
    "hconcat": [("hconcat(I, rot90(I))", "12"), ("hconcat(tile(I, 1, 20), tile(I, 1, 20))", "12")],
    "overlay": [("overlay(I, rot90(I))", "12")],
    "unfold": [("unfold(tile(I, 1, 20))", "12")],
    "surround": [("surround(I, 0, BLUE)", "12"), ("surround(I, 40, BLUE)", "12")],
    "cut": [("cut(I, 2, 1)", "12"), ("cut(I, 1, 0)", "12")],
    "split": [("split(I)", "12/34"), ("split(I)", "11/11")],
    "panel": [("panel(cut(I, 1, 2), 2)", "12")],
    "complete_tiling": [
        ("complete_tiling(I, BLACK)", "1234"),
        ("complete_tiling(I, BLACK)", "00/00"),
        ("complete_tiling(I, BLACK)", "10/02"),
    ],
    "compose": [("compose(rot90, 3)", "1")],
    "repeat": [("repeat(rot90, 0)", "1"), ("repeat(rot90, 100)", "1"), ("repeat(rot90, 1000000000)", "1")],
    "map_objects": [
        ("map_objects(size, components(I, FOUR))", "1"),
        ("map_objects(rot90, components(I, FOUR))", "1"),
    ],
    "map_grids": [
        ("map_grids(mask_not, cut(I, 1, 1))", "1"),
        ("map_grids(height, cut(I, 1, 1))", "1"),
        ("map_grids(overlay, cut(I, 1, 1))", "1"),
    ],
    "fold": [("fold(same_cells, cut(I, 1, 2))", "12"), ("fold(height, cut(I, 1, 2))", "12")],
    "object_of_most": [("object_of_most(size, components(I, FOUR))", "0")],
    "grid_of_most": [("grid_of_most(rot90, cut(I, 1, 2))", "12")],
}

SIDES = st.one_of(st.integers(1, 8), st.sampled_from([10, 30, 31, 60]))
SHAPES = st.tuples(SIDES, SIDES)


@st.composite
def grids(draw: st.DrawFn, shape: tuple[int, int]) -> np.ndarray:
    """A grid of few or many colours, black being likely."""
    colours = [0, *draw(st.lists(st.integers(0, 9), min_size=1, max_size=4))]
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).choice(np.array(colours, np.uint8), shape)
