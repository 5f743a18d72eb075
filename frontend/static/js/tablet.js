// The room's tablet: one address that is pairing, keypad or controls, whatever is due; changes over by itself, without reload.

import { _ } from "./base.js";
import { startControl } from "./control.js";
import { startPad } from "./pad.js";

const LOOK_MS = { pairing: 1000, idle: 2000, control: 5000 };
const SILENT_MS = 15_000;
const hour = new Intl.DateTimeFormat("zh-CN", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: document.getElementById("screen").dataset.zone });
const screen = document.getElementById("screen");
let end = () => {};
let heardAt = performance.now();
let timer = 0;
let skew = Number(screen.dataset.now) - Date.now();

function begin() {
  end();
  const root = screen.firstElementChild;
  const kind = root.dataset.kind;
  if (kind === "control") end = startControl(root, () => look(true));
  else end = startPad(root, () => look(true));
  clearTimeout(timer);
  timer = setTimeout(look, LOOK_MS[kind]);
  tick();
}

/** Ask whether another screen is due, and show it. */
async function look(isSure = false) {
  clearTimeout(timer);
  try {
    const answer = await fetch(`/tablet/screen?seen=${isSure === true ? "" : screen.dataset.mark}`, { headers: { accept: "text/html" } });
    if (answer.ok) {
      heardAt = performance.now();
      if (answer.status === 200) {
        screen.dataset.mark = answer.headers.get("x-mark") ?? "";
        skew = Number(answer.headers.get("x-now")) - Date.now();
        screen.innerHTML = await answer.text();
        begin();
        return;
      }
    }
  } catch {
    // said below by the age of the last answer
  }
  timer = setTimeout(look, LOOK_MS[screen.firstElementChild.dataset.kind]);
}

function tick() {
  const clock = document.getElementById("clock");
  const link = document.getElementById("link");
  const silentMs = performance.now() - heardAt;
  if (link) {
    const isLost = silentMs > SILENT_MS;
    link.classList.toggle("bad", isLost);
    if (isLost) link.querySelector(".no").textContent = _("Offline for {n} s, reconnecting. Check in by phone meanwhile.", { n: Math.round(silentMs / 1000) });
  }
  if (clock) clock.textContent = hour.format(Date.now() + skew);
}

begin();
setInterval(tick, 1000);
document.addEventListener("visibilitychange", () => document.hidden || look());
