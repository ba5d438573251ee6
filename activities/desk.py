"""Activities on our own store, run locally."""

from temporalio import activity

from activities.boundary import temporal_failures
from activities.cs import assessed
from domain.books import ViewRow, Views
from domain.company import Company
from domain.policies.readiness import RenewalReadiness, assess_readiness
from domain.readings import AssessReadiness
from domain.steps import Perform, Performed


class DeskActivities:
    """Publishes what people see, and applies the company's policies."""

    def __init__(self, views: Views, company: Company) -> None:
        self._views = views
        self._company = company

    @activity.defn(name="desk.publish")
    async def publish(self, row: ViewRow) -> None:
        """Write the view; an older one never wins."""
        with temporal_failures():
            await self._views.publish(row)

    @activity.defn(name="desk.assess_readiness")
    async def assess_readiness(self, request: AssessReadiness) -> RenewalReadiness:
        """Judge what the sources said, by the policy of today."""
        return assess_readiness(
            request.readings,
            request.today,
            self._company.risk,
            self._company.forecast,
            former=request.former,
            review=request.review,
        )

    @activity.defn(name="desk.assess_risk")
    async def assess_risk(self, request: Perform) -> Performed:
        """What risk CS would be shown, without showing it: its stage only observes."""
        with temporal_failures():
            return Performed(id=request.step.key, risk=assessed(request, self._company))
