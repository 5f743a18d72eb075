// What the booking pages share: posting a form in place, the sheet that slides over a page, toasts that the server wrote.

import { putToast } from "./base.js";

/** Post fields as our own forms do, and return the answer; a partial comes back because of the header. */
export function post(url, fields, options = {}) {
  return fetch(url, { method: "POST", body: new URLSearchParams(fields), headers: { "HX-Request": "true" }, ...options });
}

/** Get a partial. */
export function get(url, options = {}) {
  return fetch(url, { headers: { "HX-Request": "true" }, ...options });
}

/** Put a toast that the server wrote on the page for 8 seconds; `done` runs after its undo was accepted. */
export function showToast(html, done = () => {}) {
  const holder = document.createElement("template");
  holder.innerHTML = html.trim();
  const note = holder.content.firstElementChild;
  if (!note) return;
  const end = putToast(note);
  note.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    clearTimeout(end);
    const form = event.target;
    const answer = await post(form.action, new FormData(form));
    note.remove();
    if (answer.ok) done();
    else showToast(await answer.text());
  });
}

/** Put the sheet on show, the rest of a small screen behind a scrim; focus goes back to the opener when it closes. */
export class Sheet {
  constructor(element, closed = () => {}) {
    this.element = element;
    this.closed = closed;
    this.opener = null;
    element.addEventListener("click", (event) => {
      if (!event.target.closest("[data-shut]")) return;
      event.preventDefault();
      this.close();
    });
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  get isOpen() {
    return !this.element.hidden;
  }

  show(html, focus = "") {
    if (!this.isOpen) this.opener = document.activeElement;
    this.element.innerHTML = html;
    this.element.hidden = false;
    document.body.classList.add("sheet-open");
    const wrong = this.element.querySelector('[aria-invalid="true"], .note.alarm');
    if (wrong) {
      wrong.tabIndex = wrong.matches("input, select") ? 0 : -1;
      wrong.focus();
    } else if (focus) this.element.querySelector(focus)?.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.closed();
    this.element.hidden = true;
    this.element.innerHTML = "";
    document.body.classList.remove("sheet-open");
    if (this.opener?.isConnected) this.opener.focus({ preventScroll: true });
  }
}

// The phone's way: a tap on a slot brings the confirmation as a sheet; without this module the link opens it as a page.
const confirm = document.getElementById("confirm");
if (confirm) {
  const home = confirm.dataset.home;
  const sheet = new Sheet(confirm, () => history.replaceState(null, "", home));
  const submit = async (event) => {
    const form = event.target.closest("form");
    if (!form) return;
    event.preventDefault();
    const answer = await post(form.action, new FormData(form, event.submitter));
    const next = answer.headers.get("HX-Redirect");
    if (next) location.assign(next);
    else sheet.show(await answer.text(), "h2");
  };
  confirm.addEventListener("submit", submit);
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-confirm]");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    const answer = await get(link.href);
    if (!answer.ok) location.assign(link.href);
    else sheet.show(await answer.text(), "button.pri");
  });
  document.getElementById("scrim")?.addEventListener("click", () => sheet.close());
}
