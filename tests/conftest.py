"""What every test lives under: nothing it starts or opens may outlive it."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest


def _processes() -> set[int]:
    """Live descendants, less multiprocess's resource tracker, which belongs to the interpreter, not to a test."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(child.cmdline()):
                found.add(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def _threads() -> set[int]:
    return {t.ident for t in threading.enumerate() if t.ident is not None}


def _files() -> set[str]:
    """Open descriptors by what they point at; the resource tracker's pipe shows once per interpreter."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
        except OSError:
            continue
    return found


def _left(measure: Callable[[], set], before: set, patience_s: float = 3.0) -> set:
    """What is there now and was not before; ends within moments are waited for, a leak is not."""
    end = time.monotonic() + patience_s
    while (more := measure() - before) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.02)
    return more


@pytest.fixture(scope="session", autouse=True)
def _interpreter_wide() -> None:
    """Open once what multiprocess keeps for the interpreter's life, so that no test is blamed for it."""
    from multiprocess import RawArray, resource_tracker

    resource_tracker.ensure_running()
    RawArray("d", 2)


@pytest.fixture(autouse=True)
def leak_check(_interpreter_wide: None) -> Iterator[None]:
    """Fail the test that leaves a process, a thread or an open file behind."""
    before = _processes(), _threads(), _files()
    yield
    for name, measure, then in zip(
        ("processes", "threads", "files"), (_processes, _threads, _files), before, strict=True
    ):
        left = _left(measure, then)
        assert not left, f"left behind {name}: {left}"


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A test in an empty current folder, where the default workspace may be made."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
