"""Tells somebody of each activity before it begins: for whoever must know at which business time it is done."""

from collections.abc import Callable
from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class Told(Interceptor):
    """`begun` is called with the activity's request, in the activity's own task."""

    def __init__(self, begun: Callable[[object], None]) -> None:
        self._begun = begun

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Told(next, self._begun)


class _Told(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, begun: Callable[[object], None]) -> None:
        super().__init__(next)
        self._begun = begun

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        for argument in input.args:
            self._begun(argument)
        return await super().execute_activity(input)
