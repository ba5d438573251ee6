/* What HTML and htmx can't: keys, the list of keys, one form for many rows, and live regions that don't disturb. */
"use strict";

const pages = { p: "/console", r: "/console/renewals", c: "/console/cases", l: "/console/leaders", x: "/console/reconciliation" };
let leading = false;

const typing = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;
const rows = () => [...document.querySelectorAll("[data-row]")];
const press = (name) => document.querySelector(`[data-key="${name}"]`)?.click();

function move(step) {
  const all = rows();
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  next?.querySelector("a")?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape") {
    if (typing(event.target)) event.target.blur();
    else if (!document.querySelector("dialog[open]")) press("Escape");
    return;
  }
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (leading) {
    leading = false;
    if (pages[event.key]) window.location.assign(pages[event.key]);
    return;
  }
  const acts = {
    "/": () => document.querySelector("input[type=search]")?.focus(),
    "?": () => document.getElementById("keys").showModal(),
    g: () => { leading = true; },
    j: () => move(1),
    k: () => move(-1),
    e: () => document.getElementById("payload")?.focus(),
    " ": () => document.activeElement.closest("[data-row]")?.querySelector("input[type=checkbox]")?.click(),
  };
  const act = acts[event.key];
  if (event.key === " " && !document.activeElement.closest("[data-row]")) return;
  if (event.key === " " && document.activeElement.matches("input[type=checkbox]")) return;
  if (act) {
    event.preventDefault();
    act();
  } else if (document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)) {
    event.preventDefault();
    press(event.key);
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys]")) document.getElementById("keys").showModal();
});

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-choose-all]");
  if (all) for (const box of document.querySelectorAll(all.dataset.chooseAll)) box.checked = all.checked;
  const bulk = document.querySelector("[data-bulk]");
  if (!bulk) return;
  const chosen = document.querySelectorAll(`${bulk.dataset.bulk}:checked`).length;
  bulk.querySelector("[data-chosen]").textContent = chosen ? `${chosen} chosen` : "none chosen";
  for (const button of bulk.querySelectorAll("button")) button.disabled = chosen === 0;
});

/* Nobody looks at a hidden page: it asks for nothing. Somebody who types, or has chosen rows, is not disturbed: what
   has changed in the meantime comes with the next change, or when they come back to the page. */
document.addEventListener("htmx:confirm", (event) => {
  const asked = event.detail.triggeringEvent?.type;
  const region = event.detail.elt;
  const changed = asked === "changed";
  if (region.id === "pulse" ? document.hidden : changed && busy(region)) event.preventDefault();
});

const busy = (region) =>
  region.querySelector("input[type=checkbox]:checked") !== null ||
  (region.contains(document.activeElement) && typing(document.activeElement));

/* A region that changes is swapped whole: who goes through its rows by keys stays on theirs. */
let stood = null;
document.addEventListener("htmx:beforeSwap", () => {
  stood = document.activeElement.closest("[data-row] a")?.getAttribute("href") ?? null;
});
document.addEventListener("htmx:afterSwap", () => {
  if (stood === null || document.activeElement !== document.body) return;
  document.querySelector(`[data-row] a[href="${CSS.escape(stood)}"]`)?.focus({ preventScroll: true });
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) htmx.trigger("#pulse", "again");
});
