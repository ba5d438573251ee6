"""The customer-success platform: companies, onboarding plans and their tasks, health, playbooks, notes."""

from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel, Field

from sandbox.api import Answer, Api, Call, Problem, not_found, refused
from sandbox.box import Box

api = Api("cs")


class NewCompany(BaseModel):
    external_id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    parent_external_id: str | None = None


class NewTask(BaseModel):
    name: str
    due_in_days: int = 0
    milestone: str | None = None


class NewPlan(BaseModel):
    external_id: str | None = None
    company: str
    contract: str
    template: str
    starts: date
    tasks: list[NewTask] = []


class NewHealth(BaseModel):
    risk: str
    renewal_priority: str
    lifecycle_stage: str
    reasons: list[str] = []


class NewPlaybook(BaseModel):
    external_id: str | None = None
    company: str
    contract: str
    name: str
    due: date
    steps: list[str] = []


class NewNote(BaseModel):
    text: str = Field(min_length=1)


class Completion(BaseModel):
    completed_on: date | None = None


@api.operation("POST", "/companies")
def ensure_company(box: Box, call: Call) -> Answer:
    """The external id is unique: a second company of the same one is a 409."""
    new = NewCompany.model_validate(call.fields())
    if box.store.find("cs", "companies", new.external_id):
        raise Problem(409, "taken", "a company with this external id exists")
    company_id = box.new_id("company")
    record = {"id": company_id, **new.model_dump()}
    return Answer(201, box.store.put("cs", "companies", company_id, record, new.external_id))


@api.operation("GET", "/companies")
def find_company(box: Box, call: Call) -> dict[str, Any]:
    return {"companies": box.store.find("cs", "companies", call.query.get("external_id", ""))}


@api.operation("GET", "/companies/{company}")
def read_company(box: Box, call: Call) -> dict[str, Any]:
    company = _company(box, call.params["company"])
    return {**company, "health": box.store.get("cs", "health", company["id"])}


@api.operation("PUT", "/companies/{company}/health")
def set_health(box: Box, call: Call) -> dict[str, Any]:
    health = NewHealth.model_validate(call.fields())
    company = _company(box, call.params["company"])
    record = {"company": company["id"], **health.model_dump(), "set_at": box.clock.now().isoformat()}
    return box.store.put("cs", "health", company["id"], record)


@api.operation("POST", "/plans")
def launch_onboarding(box: Box, call: Call) -> Answer:
    new = NewPlan.model_validate(call.fields())
    _need_company(box, new.company)
    plan_id = box.new_id("plan")
    plan = {"id": plan_id, **new.model_dump(mode="json", exclude={"tasks"})}
    for task in new.tasks:
        task_id = box.new_id("task")
        due_on = new.starts + timedelta(days=task.due_in_days)
        box.store.put("cs", "tasks", task_id, {
            "id": task_id, "plan": plan_id, "company": new.company, "contract": new.contract, "name": task.name,
            "due_on": due_on.isoformat(), "milestone": task.milestone, "status": "open", "completed_on": None,
        })  # fmt: skip
    return Answer(201, box.store.put("cs", "plans", plan_id, plan, new.external_id))


@api.operation("GET", "/plans")
def find_onboarding(box: Box, call: Call) -> dict[str, Any]:
    return {"plans": box.store.find("cs", "plans", call.query.get("external_id", ""))}


@api.operation("POST", "/playbooks")
def start_playbook(box: Box, call: Call) -> Answer:
    new = NewPlaybook.model_validate(call.fields())
    _need_company(box, new.company)
    playbook_id = box.new_id("playbook")
    record = {"id": playbook_id, **new.model_dump(mode="json")}
    return Answer(201, box.store.put("cs", "playbooks", playbook_id, record, new.external_id))


@api.operation("GET", "/playbooks")
def find_playbook(box: Box, call: Call) -> dict[str, Any]:
    return {"playbooks": box.store.find("cs", "playbooks", call.query.get("external_id", ""))}


@api.operation("POST", "/companies/{company}/notes")
def post_note(box: Box, call: Call) -> Answer:
    """Neither a key nor a look-up: what was posted twice is there twice."""
    note = NewNote.model_validate(call.fields())
    company = _company(box, call.params["company"])
    note_id = box.new_id("note")
    return Answer(
        201, box.store.put("cs", "notes", note_id, {"id": note_id, "company": company["id"], "text": note.text})
    )


@api.operation("GET", "/companies/{company}/tasks")
def open_tasks(box: Box, call: Call) -> dict[str, Any]:
    company, status = _company(box, call.params["company"]), call.query.get("status")
    tasks = [task for task in box.store.all("cs", "tasks") if task["company"] == company["id"]]
    return {"tasks": [task for task in tasks if status in (None, task["status"])]}


@api.operation("POST", "/tasks/{task}/complete")
def complete_task(box: Box, call: Call) -> dict[str, Any]:
    """Completing a task that carries a milestone announces the milestone, once."""
    completion = Completion.model_validate(call.body or {})
    task = box.store.get("cs", "tasks", call.params["task"])
    if task is None:
        raise not_found("task", call.params["task"])
    if task["status"] == "completed":
        return task
    completed_on = (completion.completed_on or box.clock.today()).isoformat()
    if task["milestone"]:
        data = {"contract": task["contract"], "milestone": task["milestone"], "completed_on": completed_on}
        event_id = box.event_id("cs", "tasks", task["id"], "completed")
        box.emit(event_id, "cs", "milestone.completed", task["contract"], data)
    return box.store.put("cs", "tasks", task["id"], {**task, "status": "completed", "completed_on": completed_on})


def _company(box: Box, company_id: str) -> dict[str, Any]:
    company = box.store.get("cs", "companies", company_id)
    if company is None:
        raise not_found("company", company_id)
    return company


def _need_company(box: Box, company_id: str) -> None:
    if box.store.get("cs", "companies", company_id) is None:
        raise refused("no such company")
