"""What one item may cost, how it can end, and the soft time limit that ends it from inside.

Promises: an item that runs Python code is stopped within a tick of its limit, in any thread of any process,
without signals; once `SoftLimit.call` has returned, no exception of that call can arrive any more. The
watchdog counts time in which the process could run: a process that was stopped (SIGSTOP, a laptop's lid) is
not charged for the pause.
Leaves to others: code that stays in one C call, or swallows every exception, is killed by
`workers.processes`; in-process there is no help against those two. Memory and result sizes are enforced by
the worker processes.
"""

from __future__ import annotations

import ctypes
import dis
import math
import threading
import time
import traceback as traceback_module
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any

from nbbatt.errors import NbbattError

_LONGEST_MESSAGE = 300  # characters of an outcome's one-line error
_LONGEST_TRACEBACK = 4000
_LONGEST_GAP_S = 0.1  # a watchdog that was away for longer asks the CPU clock what the item really had
_IDLE_TICK_S = 0.25
_QUIET_TICKS = 5
_EXPLAIN_S = 0.25  # an exception's own __str__ is user code: it gets a limit too


class LimitsError(NbbattError):
    """A limit that no item could be run under."""


class Status(StrEnum):
    """How an item ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    KILLED = "killed"
    MEMORY = "memory"
    DIED = "died"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one item may take: seconds to its soft and its hard end, megabytes (2**20 bytes) of memory and of
    result.

    `hard_s` counts from the item's start and must be more than `soft_s`. `memory_mb` is address space above
    what the worker had before its first item (Linux only). A result that takes more than `result_mb` pickled
    is refused.
    """

    soft_s: float = 1.0
    hard_s: float = 2.0
    memory_mb: int = 512
    result_mb: int = 16

    def __post_init__(self) -> None:
        for name in ("soft_s", "hard_s", "memory_mb", "result_mb"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
                raise LimitsError(f"limit {name} is {value!r}; it must be a number above 0")
        if not self.hard_s > self.soft_s:
            raise LimitsError(
                f"limit hard_s is {self.hard_s:g} s, not above soft_s ({self.soft_s:g} s); "
                "leave the soft limit time to end the item before it is killed"
            )


class TimeLimit(BaseException):
    """Raised inside an item at its soft limit; no Exception, so that `except Exception` lets it by."""


class Cancelled(BaseException):
    """Raised inside an item whose run was cancelled."""


def explain(exc: BaseException) -> tuple[Status, str]:
    """The status an exception stands for, and one line (at most 300 characters) for people."""
    if isinstance(exc, TimeLimit):
        return Status.TIMEOUT, "ran into its time limit"
    if isinstance(exc, Cancelled):
        return Status.CANCELLED, "cancelled"
    try:
        text = " ".join(str(exc).split())
    except Exception as broken:
        text = f"(its message cannot be shown: {type(broken).__name__})"
    line = f"{type(exc).__name__}: {text}" if text else type(exc).__name__
    if len(line) > _LONGEST_MESSAGE:
        line = line[: _LONGEST_MESSAGE - 1] + "…"
    return (Status.MEMORY if isinstance(exc, MemoryError | RecursionError) else Status.ERROR), line


@dataclass(slots=True)
class _Arming:
    """One call under watch: `fired` is written by the watchdog, the two after it by the thread it watches."""

    thread: int
    since: float
    deadline: float
    fired: type[BaseException] | None = None
    over: bool = False
    noted: bool = False


class SoftLimit:
    """A watchdog thread that raises TimeLimit or Cancelled in the thread whose call it watches, one call at a
    time.

    The exception is raised again every `tick_s` seconds while the call goes on, for code that swallows it
    once. `cancel` set means Cancelled at the next tick. `tick` is called in the watchdog's thread at every
    tick.
    """

    def __init__(
        self,
        *,
        tick_s: float = 0.02,
        cancel: threading.Event | None = None,
        tick: Callable[[], None] | None = None,
    ) -> None:
        self._tick_s = tick_s
        self._cancel = cancel
        self._tick = tick
        self._lock = threading.Lock()
        # Not an Event: an exception that arrives in one's Python code could leave its lock taken for ever.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._asleep = False
        self._quiet = 0
        self._looked: _Arming | None = None
        self._stopping = False
        self._arming: _Arming | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> SoftLimit:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the watchdog; a second call does nothing."""
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._watch, name="nbbatt-softlimit", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the watchdog and wait for its thread; a second call does nothing."""
        thread, self._thread = self._thread, None
        self._stopping = True
        self._ring()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def call(
        self, function: Callable[[Any], Any], argument: Any, seconds: float
    ) -> tuple[Any, BaseException | None]:
        """Run `function(argument)` under the limit: (its value, None) or (None, what ended it).

        A call whose limit struck is a TimeLimit (or Cancelled) whatever it went on to return, for what
        swallowed the exception may have made a wrong value of it; unless the function caught it and called
        `disarm` itself.
        """
        # Asynchronous exceptions arrive only at calls, function starts and backward jumps. From a caught
        # exception to the store into `over` there is none of these; after that store the watchdog raises at
        # most the one it is just about to raise, so that at most two are left to come, plus the user's own
        # Ctrl-C: hence the four tries.
        now = time.monotonic()
        arming = _Arming(threading.get_ident(), now, now + seconds)
        value: Any = None
        error: BaseException | None = None
        try:
            try:
                self._arming = arming
                if self._asleep:
                    self._ring()
                value = function(argument)
            except BaseException as raised:
                error = raised
            arming.over = True
            self._settle(arming)
        except BaseException as first:
            arming.over = True
            if error is None:
                error = first
            try:
                self._settle(arming)
            except BaseException:
                try:
                    self._settle(arming)
                except BaseException:
                    self._settle(arming)
        try:
            if arming.fired is None or arming.noted:
                return (value, None) if error is None else (None, error)
            if not isinstance(error, arming.fired):
                error = arming.fired().with_traceback(None if error is None else error.__traceback__)
            return None, error
        finally:
            del error  # its traceback holds this frame: together a cycle that keeps all the call has held

    def arm(self, seconds: float) -> None:
        """Watch this thread from now on, until `disarm`; prefer `call`, which also catches what is late."""
        now = time.monotonic()
        self._arming = _Arming(threading.get_ident(), now, now + seconds)
        if self._asleep:
            self._ring()

    def disarm(self) -> None:
        """End the watch. It may raise the last TimeLimit itself; once it has returned, none can arrive.

        A function run by `call` that catches TimeLimit to return what it has so far says so by calling this.
        """
        arming = self._arming
        if arming is None:
            return
        try:
            arming.over = True
            self._settle(arming)
        except (TimeLimit, Cancelled):
            arming.over = True
            try:
                self._settle(arming)
            except (TimeLimit, Cancelled):
                self._settle(arming)
        arming.noted = True

    @property
    def struck(self) -> bool:
        """Whether the limit has struck the call under watch: what swallowed it may be wrong since."""
        return self._arming is not None and self._arming.fired is not None

    def charge(self, seconds: float) -> None:
        """Take `seconds` off what the call under watch has left: what a result it shares cost another."""
        with self._lock:
            if self._arming is not None and not self._arming.over:
                self._arming.deadline -= seconds

    def _settle(self, arming: _Arming) -> None:
        """Under the lock the watchdog is outside its step: clear what it raised and nobody has seen."""
        with self._lock:
            if arming.fired is not None:
                _drain(arming.thread)

    def _ring(self) -> None:
        """Wake the watchdog, now or from its next sleep."""
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it was rung and is not yet heard

    def _watch(self) -> None:
        seen, cpu = time.monotonic(), time.process_time()
        while not self._stopping:
            # Short of memory anything can fail; the watchdog must outlive the item that ate it all.
            try:
                self._pause()
                now, used = time.monotonic(), time.process_time()
                with self._lock:
                    self._look(now, max(_LONGEST_GAP_S, used - cpu), seen)
                seen, cpu = now, used
                if self._tick is not None:
                    self._tick()
            except MemoryError:
                time.sleep(self._tick_s)

    def _pause(self) -> None:
        """Sleep to the next tick, or, with nothing to watch, until `call` wakes us."""
        # A stream of short calls must not wake us at each of them, so only a few quiet ticks send us to
        # sleep.
        self._asleep = self._quiet >= _QUIET_TICKS  # before looking: a call that arms after our look wakes us
        arming = self._arming
        if arming is None or arming.over:
            self._quiet = self._quiet + 1 if arming is self._looked else 0
            self._looked = arming
            self._bell.acquire(timeout=_IDLE_TICK_S if self._asleep else self._tick_s)
        else:
            self._quiet = 0
            left = arming.deadline - time.monotonic()
            self._bell.acquire(timeout=min(self._tick_s, max(left, 0.001)) if left > 0 else self._tick_s)
        self._asleep = False

    def _look(self, now: float, allowed_s: float, seen: float) -> None:
        arming = self._arming
        if arming is None or arming.over:
            return
        gap = now - max(seen, arming.since)
        if gap > allowed_s:
            arming.deadline += gap - allowed_s
        if self._cancel is not None and self._cancel.is_set():
            arming.fired = Cancelled
            _raise_in(arming.thread, Cancelled)
        elif now >= arming.deadline:
            arming.fired = arming.fired or TimeLimit
            _raise_in(arming.thread, arming.fired)


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    """Make `kind` pending in a thread, in place of what is pending there, while the interpreter is locked."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))


class _Drained(BaseException):
    """Takes the place of an exception that nobody is to see."""


def _drain(thread: int) -> None:
    """Leave nothing pending in this thread.

    What is pending is replaced and caught, never set to nothing: CPython 3.11 would go on believing that something is
    pending, and a function entered under sys.settrace or sys.setprofile (a debugger, coverage) then never starts.
    """
    try:
        _raise_in(thread, _Drained)
        while True:
            pass
    except _Drained:
        pass


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one call ended: its value when `status` is OK, else one line and a bounded traceback."""

    status: Status
    value: Any = None
    error: str = ""
    traceback: str = ""


def attempt(
    limit: SoftLimit,
    function: Callable[[Any], Any],
    argument: Any,
    seconds: float,
    *,
    interrupts: bool = False,
) -> Attempt:
    """Run `function(argument)` under a soft limit; nothing it raises comes out, SystemExit and the like
    included.

    With `interrupts`, a KeyboardInterrupt that no `raise` statement made is the user's own Ctrl-C and comes
    out.
    """
    value, error = limit.call(function, argument, seconds)
    if error is None:
        return Attempt(Status.OK, value)
    try:
        if interrupts and isinstance(error, KeyboardInterrupt) and not _raised_by_statement(error):
            raise error
        described = limit.call(_describe, error, _EXPLAIN_S)[0]
        if described is not None:
            status, line, trace = described
        else:
            status, line, trace = Status.ERROR, type(error).__name__, ""
            if isinstance(error, TimeLimit | Cancelled | MemoryError):
                status, line = explain(error)
    finally:
        del error  # see SoftLimit.call
    if status is Status.TIMEOUT and math.isfinite(seconds):
        line = f"stopped at its soft limit of {seconds:g} s"
    return Attempt(status, None, line, trace)


def _describe(error: BaseException) -> tuple[Status, str, str]:
    status, line = explain(error)
    inner = error.__traceback__
    while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
        inner = inner.tb_next
    text = "".join(traceback_module.format_exception(type(error), error, inner, limit=-12))
    return status, line, text[-_LONGEST_TRACEBACK:]


def _raised_by_statement(error: BaseException) -> bool:
    """Whether the instruction an exception came from is a `raise`, as against a signal's arrival anywhere."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code.co_code
    return 0 <= trace.tb_lasti < len(code) and dis.opname[code[trace.tb_lasti]].startswith("RAISE")
