// The keypad of a waiting tablet: four digits go out by themselves; a wrong code says how to find the right one.

import { _ } from "./base.js";
import { buzz } from "./hold.js";

const HEADERS = { "content-type": "application/json", accept: "application/json" };

/** Bring the waiting screen to life; `done()` is called after a check-in. Returns what ends it. */
export function startPad(root, done) {
  const over = new AbortController();
  const $ = (id) => root.querySelector(`#${id}`);
  const boxes = [...root.querySelectorAll("#digits > span")];
  let code = "";
  let isSending = false;

  function paint() {
    boxes.forEach((box, index) => {
      box.textContent = code[index] ?? "";
      box.classList.toggle("at", index === code.length);
    });
    $("digits")?.setAttribute("aria-label", _("{n} digits entered", { n: code.length }));
  }

  function refuse(text) {
    $("wrong-text").textContent = text;
    $("wrong").hidden = false;
    $("digits").classList.add("bad");
  }

  async function send() {
    isSending = true;
    try {
      const answer = await fetch("/tablet/check-in", { method: "POST", headers: HEADERS, body: JSON.stringify({ code }) });
      if (answer.ok) {
        await done();
        return;
      }
      refuse((await answer.json()).detail);
      buzz(120);
    } catch {
      refuse(_("Not sent: no connection. The front desk can check you in."));
    } finally {
      isSending = false;
    }
    code = "";
    paint();
  }

  function press(key) {
    if (isSending || !boxes.length || root.dataset.open !== "1") return;
    $("wrong").hidden = true;
    $("digits").classList.remove("bad");
    if (key === "clear") code = "";
    else if (key === "back") code = code.slice(0, -1);
    else if (code.length < 4) code += key;
    paint();
    if (code.length === 4) send();
  }

  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-key]");
    if (button) press(button.dataset.key);
  }, { signal: over.signal });
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    if (/^\d$/.test(event.key)) press(event.key);
    if (event.key === "Backspace") press("back");
    if (event.key === "Escape") press("clear");
  }, { signal: over.signal });
  $("help")?.addEventListener("click", async () => {
    const answer = await fetch("/tablet/help", { method: "POST", headers: HEADERS, body: "{}" }).catch(() => null);
    $("help-word").textContent = answer?.ok ? _("Called") : _("Not called: no connection");
  }, { signal: over.signal });
  if (boxes.length) paint();
  return () => over.abort();
}
