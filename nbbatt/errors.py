"""The root of every error that nbbatt raises for something its user can mend.

Each room defines its own kind (TaskError, ProgramError, ...) from this one, so that the command line can tell a
user's slip (one sentence, exit code 2) from a fault of its own (a traceback).
"""


class NbbattError(ValueError):
    """A sentence with subject, value, rule and remedy."""
