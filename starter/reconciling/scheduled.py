"""Reconciliation by schedule: whoever comes first when it is due does it, and the others see that it is begun."""

import asyncio
from datetime import timedelta

import structlog

from domain.errors import TenureError
from starter.logs import where
from starter.process import pause
from starter.reconciling.reconciler import Reconciler

log = structlog.get_logger()

LOOK_EVERY = 30.0


async def reconcile_by_schedule(reconciler: Reconciler, every: timedelta, stop: asyncio.Event) -> None:
    """Until told to stop. A run that was broken off is due again after `every`, as any other."""
    while not stop.is_set():
        try:
            done = await reconciler.run_if_due(every)
        except TenureError as error:
            log.warning("reconciliation can't go on now", error=str(error))
        except Exception as error:  # the worker's lifecycles must not stand still for it
            log.error("reconciliation was broken off", error=type(error).__name__, where=where(error))
        else:
            if done is not None:
                log.info("reconciled", contracts=done.contracts, found=done.found, new=done.new, healed=done.healed)
        await pause(stop, min(LOOK_EVERY, every.total_seconds()))
