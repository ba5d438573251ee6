"""The boundary between outside systems and Temporal: the only place where an ApplicationError is made of our errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from domain.errors import TenureError


@contextmanager
def temporal_failures() -> Iterator[None]:
    """Map the closed error set: `type` is the kind, what is not retried is non-retryable.

    What a policy needs beside the kind is the failure's one detail. The server's Retry-After, or a lease's remaining
    time, becomes the next attempt's delay; such waiting is benign.
    """
    try:
        yield
    except TenureError as error:
        waiting = error.retry_after is not None
        raise ApplicationError(
            str(error),
            *([error.details] if error.details else []),
            type=error.kind,
            non_retryable=not error.retried,
            next_retry_delay=error.retry_after,
            category=ApplicationErrorCategory.BENIGN if waiting else ApplicationErrorCategory.UNSPECIFIED,
        ) from error
