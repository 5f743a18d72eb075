// What every page does: busy buttons, dialogs, toasts, focus on the first wrong field, selects that send their form.

const words = JSON.parse(document.getElementById("words")?.textContent || "{}");

/** Tell a message in the language of the page; placeholders are `{name}`. The server sends the words that modules ask for. */
export function _(msgid, params = {}) {
  const text = words[msgid] ?? msgid;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? String(params[name]) : whole));
}

export const TOAST_MS = 8000;

/** Show that something worked, for 8 seconds. Errors never come as toasts. */
export function toast(text) {
  const note = document.createElement("div");
  note.className = "toast";
  note.append(Object.assign(document.createElement("span"), { textContent: text }));
  putToast(note);
}

/** Put a toast up for 8 seconds, and return its timer; one with an undo takes the place of an older one, so that there is never a doubt which is meant. */
export function putToast(note) {
  const box = document.getElementById("toasts");
  if (note.querySelector("form")) for (const older of box.querySelectorAll(".toast")) if (older.querySelector("form")) older.remove();
  box.append(note);
  return setTimeout(() => note.remove(), TOAST_MS);
}

function focusFirstWrong(root) {
  const wrong = root.querySelector?.('[aria-invalid="true"], [data-focus]');
  wrong?.focus({ preventScroll: false });
}

function busy(form, on) {
  for (const button of form.querySelectorAll('button[type="submit"], button:not([type])')) {
    if (on && button.dataset.busy) {
      button.style.minWidth = `${button.offsetWidth}px`;
      button.dataset.label = button.innerHTML;
      button.textContent = button.dataset.busy;
    } else if (!on && button.dataset.label) {
      button.innerHTML = button.dataset.label;
      delete button.dataset.label;
    }
    button.setAttribute("aria-busy", String(on));
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent === "1") {
    event.preventDefault();
    return;
  }
  if (form.method === "get") return;
  form.dataset.sent = "1";
  setTimeout(() => busy(form, true), 0);
});
document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt.closest("form");
  if (form) {
    delete form.dataset.sent;
    busy(form, false);
  }
});
document.addEventListener("htmx:afterSwap", (event) => focusFirstWrong(event.detail.elt));
// Back from the browser's own cache: nothing is being sent any more.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    busy(form, false);
  }
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open)?.showModal();
  const closer = event.target.closest("[data-close]");
  if (closer) closer.closest("dialog")?.close();
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

focusFirstWrong(document);
