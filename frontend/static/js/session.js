// The session on the phone: running clocks, the held button that ends it, copying a path.

import { _, toast } from "./base.js";
import { holdable } from "./hold.js";
import { clock } from "./tally.js";

let skew = 0;

function ready() {
  const root = document.getElementById("session");
  if (!root || root.dataset.isReady) return;
  root.dataset.isReady = "1";
  skew = Number(root.dataset.now) - Date.now();
  for (const button of root.querySelectorAll("[data-hold]")) {
    holdable(button, button.querySelector("[data-hold-words]"), () => button.form.requestSubmit());
  }
  tick();
}

function tick() {
  const now = Date.now() + skew;
  for (const one of document.querySelectorAll("[data-since]")) one.textContent = clock((now - Number(one.dataset.since)) / 1000);
  for (const one of document.querySelectorAll("[data-until]")) {
    const left = (Number(one.dataset.until) - now) / 1000;
    one.textContent = left >= 0 ? _("{time} left", { time: clock(left) }) : _("{time} over", { time: clock(-left) });
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    toast(_("Path copied"));
  } catch {
    getSelection().selectAllChildren(document.getElementById(button.dataset.copy)); // not allowed here: at least select it
  }
});
// An open dialog must not be swapped away under the finger.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id === "session" && document.querySelector("#session dialog[open]")) event.detail.shouldSwap = false;
});
// A refused key stays in its field, here and nowhere else: the server sends the reason alone.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "key-said") refused();
});
for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, (event) => {
    if (event.detail.elt.id !== "key-form") return;
    const said = Object.assign(document.createElement("p"), { className: "err", id: "key-error", textContent: _("Not saved. Reload the page and try again.") });
    said.setAttribute("role", "alert");
    document.getElementById("key-error")?.remove();
    document.getElementById("key-said").append(said);
    refused();
  });
}
function refused() {
  const field = document.getElementById("key-text");
  field.setAttribute("aria-invalid", "true");
  field.focus();
}
document.addEventListener("htmx:afterSettle", ready);
ready();
setInterval(tick, 500);
