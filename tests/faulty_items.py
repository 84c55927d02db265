"""Items that do to their workers whatever can be done; light, since each worker imports this."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nbbatt.limits import SoftLimit


def never_ends(*_: Any) -> None:
    while True:
        pass


def one_long_c_call() -> int:
    return sum(range(10**13))


def swallows_everything() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try:
            never_ends()
        except:  # noqa: E722 - the fault that is meant
            continue


def raises(name: str) -> None:
    raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt, "GeneratorExit": GeneratorExit}[
        name
    ]("x")


def segfault() -> None:
    ctypes.string_at(0)


def cannot_be_pickled(kind: str) -> Any:
    return {"lambda": lambda: None, "generator": (n for n in "ab"), "lock": threading.Lock(), "module": sys}[
        kind
    ]


def prints_much() -> str:
    line = "x" * (1 << 20)
    for _ in range(300):
        print(line)
        sys.stderr.write(line)
        sys.stdout.buffer.write(line.encode())
        os.write(1, line.encode())
    return "done"


def prints_and_fails() -> None:
    print("a clue", "x" * 100_000)
    raise ValueError("after the clue")


def list_bomb() -> None:
    held: list[object] = []
    while True:
        held.append([0] * 100_000)


def tuple_bomb() -> None:
    held: Any = ()
    while True:
        held = (held, held, *range(10_000))


def array_bomb() -> None:
    held = [np.ones(1000)]
    while True:
        held.append(np.concatenate([held[-1], held[-1]]))


def string_bomb() -> None:
    text = "x"
    while True:
        text += text


def recursion_bomb(n: int = 0) -> int:
    return recursion_bomb(n + 1) + 1


def forks() -> int:
    while True:
        os.fork()


def starts_process() -> None:
    subprocess.run(["sleep", "60"], check=False)


def escapes(stay: bool, folder: str) -> int:
    """A grandchild in a session of its own, by a way Python cannot see."""
    libc = ctypes.CDLL(None)
    pid = int(libc.fork())
    if pid == 0:
        libc.setsid()
        while True:
            libc.sleep(60)
    Path(folder, "escaped").write_text(str(pid), encoding="ascii")
    if stay:
        swallows_everything()
    return pid


def huge_file(folder: str) -> None:
    with Path(folder, "huge").open("wb") as file:
        for _ in range(1000):
            file.write(bytes(1 << 20))


def dies_once(marker: str) -> str:
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "on the second try"


def make_faults(limit: SoftLimit) -> Callable[[tuple[Any, ...]], Any]:
    """Items are (name of a function of this module or of os or time, its arguments...) or plain numbers."""

    def handle(item: Any) -> Any:
        if isinstance(item, int):
            return item * item
        name, *arguments = item
        module = {"_exit": os, "abort": os, "sleep": time}.get(name)
        return getattr(module, name)(*arguments) if module is not None else globals()[name](*arguments)

    return handle


def busy(seconds: float) -> float:
    """CPU work, so that a pause shows in wall time only."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


def make_hoarder(limit: SoftLimit) -> Callable[[int], int]:
    hoard: list[bytes] = []

    def handle(megabytes: int) -> int:
        hoard.append(bytes(megabytes << 20))
        return megabytes

    return handle


def make_large(limit: SoftLimit) -> Callable[[int], Any]:
    def handle(megabytes: int) -> Any:
        return bytes(megabytes << 20) if megabytes > 0 else list(range(-megabytes << 18))

    return handle
