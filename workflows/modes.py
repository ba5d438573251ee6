"""How far a lifecycle acts: its stages off, observing or acting; in shadow, and made live."""

from temporalio import workflow

from workflows.messages import LifecycleMessages
from workflows.refusing import refuse

with workflow.unsafe.imports_passed_through():
    from domain import promotion
    from domain.commands import check_open
    from domain.messages import CommandAnswer, Promote, SetStages


class ModeMessages(LifecycleMessages):
    """The commands by which a company lets a lifecycle do more, or less."""

    @workflow.update
    def set_stages(self, command: SetStages) -> CommandAnswer:
        """From now on these stages run so; what history recorded stands."""
        promotion.set_stages(self._state, command)
        return self._answer(", ".join(f"{name} is {chosen}" for name, chosen in command.stages.items()))

    @set_stages.validator
    def _check_stages(self, command: SetStages) -> None:
        def check() -> None:
            check_open(self._state)
            promotion.check_stages(self._state, command, performing=self._lanes.performing)

        refuse(check)

    @workflow.update
    def promote(self, command: Promote) -> CommandAnswer:
        """A lifecycle in shadow acts from now on: what the old process had to do is never performed, the rest once."""
        promotion.promote(self._state, command)
        return self._answer(f"live since {command.cut_over}")

    @promote.validator
    def _check_promote(self, command: Promote) -> None:
        def check() -> None:
            check_open(self._state)
            promotion.check_promote(self._state, command, self._today())

        refuse(check)
