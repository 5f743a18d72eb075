// The schedule of a day: a cell cursor for the keyboard, dragging by mouse and touch, the sheet with its checks, other people's changes.
import { _ } from "./base.js";
import { get, post, showToast, Sheet } from "./booking.js";
import { cellAt, Cursor } from "./grid_cursor.js";
import { Feed } from "./grid_feed.js";
import { drawSelection, laneOf, showNow, startsOf, stepAt, timeText, widthOf } from "./grid_lanes.js";

const CHECK_MS = 150;
const HOLD_MS = 450;
const RENEW_MS = 4 * 60 * 1000; // a hold lasts five minutes
const PRESS_MS = 350;
const AGAIN_MS = 3000; // after lanes that could not be fetched
const SLACK_PX = 8;
const EDGE_PX = 10;
const USUAL_STEPS = 12; // one hour

const page = document.getElementById("gridpage");
const scroller = page.querySelector(".gscroll");
const token = document.getElementById("token").value;
const say = document.getElementById("say");
const grid = () => document.getElementById("grid");
const canBook = () => grid().dataset.book === "1";

let chosen = null; // { unit, from, till, block } in steps; block: the block that is being moved, null for a new one
let drag = null;
let checking = null;
let checkAt = 0;
let checkTimer = 0;
let holdTimer = 0;
let holding = null; // the hold that is on its way
let heldWish = ""; // room and time of the hold that we have
let heldAt = 0;

const sheet = new Sheet(document.getElementById("sheet"), () => {
  release();
  choose(null);
  page.classList.add("alone");
});

// ── what is chosen ────────────────────────────────────────────────────────

function choose(next) {
  chosen = next;
  const isBad = drawSelection(grid(), chosen);
  if (!chosen) return;
  say.textContent = isBad ? _("{from} to {till}, not free", hours()) : _("{from} to {till}", hours());
}

function hours() {
  return { from: timeText(grid(), chosen.from), till: timeText(grid(), chosen.till) };
}

/** Keep a choice within the day and at least as long as the room asks for. */
function fitted(lane, from, till) {
  const steps = Number(grid().dataset.steps);
  const length = Math.min(Math.max(till - from, lane.least), lane.most, steps);
  const start = Math.min(Math.max(from, 0), steps - length);
  return { from: start, till: start + length };
}

/** The hour that a single tap chooses, shorter where less is free. */
function usual(lane, at) {
  const next = lane.busy.filter((one) => one.from >= at).reduce((least, one) => Math.min(least, one.from), Number(grid().dataset.steps));
  const room = Math.floor((next - lane.setup - lane.teardown - at) / lane.step) * lane.step;
  return fitted(lane, at, at + Math.min(USUAL_STEPS, Math.max(room, lane.least)));
}

// ── the sheet and its checks ──────────────────────────────────────────────

async function openSheet(focus) {
  const query = new URLSearchParams(grid().dataset.query);
  query.set("space", chosen.unit);
  query.set("from", hours().from);
  query.set("to", hours().till);
  if (chosen.block) query.set("move", chosen.block.dataset.uid);
  const answer = await get(`/days/${grid().dataset.date}/sheet?${query}`);
  if (answer.ok) showSheet(await answer.text(), focus);
}

function showSheet(html, focus) {
  page.classList.remove("alone");
  sheet.show(html, focus);
  holdSoon();
}

const form = () => document.getElementById("sheet-form");

function setField(name, value) {
  const field = form().elements[name];
  if (field.tagName === "SELECT" && ![...field.options].some((one) => one.value === value)) field.add(new Option(value, value));
  field.value = value;
}

/** Bring form and checks up to the choice; opens the sheet when it is closed. */
function follow(focus = "") {
  if (!form()) return void openSheet(focus);
  setField("space", chosen.unit);
  setField("from", hours().from);
  setField("to", hours().till);
  checkSoon();
}

function checkSoon() {
  clearTimeout(checkTimer);
  checkTimer = setTimeout(check, Math.max(0, checkAt + CHECK_MS - Date.now()));
}

async function check() {
  checkAt = Date.now();
  checking?.abort();
  checking = new AbortController();
  const asked = form();
  if (!asked) return;
  try {
    const answer = await get(`${asked.dataset.check}?${new URLSearchParams(new FormData(asked))}`, { signal: checking.signal });
    const target = document.getElementById("check");
    if (answer.ok && target) target.innerHTML = await answer.text();
    const title = document.getElementById("check-title");
    if (title) document.getElementById("sheet-title").textContent = title.textContent;
    holdSoon();
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

function holdSoon() {
  clearTimeout(holdTimer);
  holdTimer = setTimeout(() => { holding = hold(); }, HOLD_MS);
}

/** Keep the time for the minutes in which the form is filled in; a refusal is shown by the check. */
async function hold() {
  const filled = form();
  if (!filled?.dataset.hold || document.getElementById("findings")?.dataset.bad) return;
  const wish = ["space", "date", "from", "to", "host"].map((name) => filled.elements[name]?.value).join();
  if (wish === heldWish && Date.now() - heldAt < RENEW_MS) return; // our own hold comes back as a change of the day, and is no reason to hold again
  const answer = await post(filled.dataset.hold, new FormData(filled));
  if (!answer.ok || form() !== filled) return;
  [heldWish, heldAt] = [wish, Date.now()];
  const held = await answer.json();
  filled.elements.hold.value = held.id;
  filled.elements.hold_version.value = held.version;
}

/** Give back what this page holds; a hold that is still on its way is waited for, since it would come after its own end. */
async function release() {
  clearTimeout(holdTimer);
  const filled = form();
  if (!filled || !holding) return;
  const fields = new FormData(filled);
  const coming = holding;
  [holding, heldWish, filled.elements.hold.value] = [null, "", ""];
  if (document.visibilityState === "visible") await coming;
  post(filled.dataset.release, fields, { keepalive: true });
}

sheet.element.addEventListener("change", (event) => {
  if (event.target.matches("[name=space], [name=from], [name=to]")) fromForm();
  if (event.target.matches("[name=space], [name=from], [name=to], [name=date], [name=host]")) checkSoon();
});

/** Show in the lanes what was chosen in the form. */
function fromForm() {
  const filled = form();
  const lane = laneOf(grid(), filled.elements.space.value);
  if (!lane || filled.elements.date.value !== grid().dataset.date) return choose(null);
  const [from, till] = [startsOf(grid(), filled.elements.from.value), startsOf(grid(), filled.elements.to.value)];
  const block = filled.dataset.move ? document.getElementById(`b${filled.dataset.move}`) : null;
  choose(till > from ? { unit: lane.unit, from, till, block } : null);
}

sheet.element.addEventListener("click", (event) => {
  const button = event.target.closest(".alt");
  if (!button) return;
  event.preventDefault();
  for (const other of sheet.element.querySelectorAll(".alt")) other.setAttribute("aria-pressed", String(other === button));
  for (const name of ["space", "date", "from", "to"]) setField(name, button.dataset[name]);
  fromForm();
  checkSoon();
});

sheet.element.addEventListener("submit", async (event) => {
  event.preventDefault();
  const filled = event.target;
  const submitter = event.submitter;
  clearTimeout(holdTimer);
  clearTimeout(checkTimer);
  await holding; // a hold that comes in after the booking would meet it
  const answer = await post(filled.action, new FormData(filled, submitter));
  const html = await answer.text();
  filled.dataset.sent = "";
  if (!answer.ok) return sheet.show(html);
  filled.elements.hold.value = "";
  sheet.close();
  done(html);
});

function done(html) {
  showToast(html, refresh);
  refresh();
}

// ── dragging ──────────────────────────────────────────────────────────────

function startNew(lane, at) {
  drag = { lane, anchor: at, kind: "new", moved: false };
  choose({ unit: lane.unit, ...fitted(lane, at, at + lane.step), block: null });
}

function startBlock(block, kind, at) {
  const from = Number(block.dataset.from);
  drag = { lane: laneOf(grid(), block.closest("[data-unit]").dataset.unit), kind, block, grab: at - from, moved: false };
  drag.was = { unit: drag.lane.unit, from, till: Number(block.dataset.till) };
}

function startSelection(kind, at) {
  drag = { lane: laneOf(grid(), chosen.unit), kind, block: chosen.block, grab: at - chosen.from, moved: true, was: { ...chosen } };
}

function pull(event) {
  const under = document.elementFromPoint(event.clientX, event.clientY)?.closest(".gr[data-unit]");
  if (under && drag.kind === "move") drag.lane = laneOf(grid(), under.dataset.unit);
  const { lane, kind } = drag;
  const at = stepAt(lane, event.clientX, kind === "new" || kind === "move" ? "floor" : "round");
  if (kind === "new") {
    const from = Math.min(drag.anchor, at);
    const range = fitted(lane, from, Math.max(drag.anchor, at) + lane.step);
    if (Math.abs(at - drag.anchor) >= lane.step) drag.moved = true;
    choose({ unit: lane.unit, ...range, block: null });
    return;
  }
  const { was, block } = drag;
  const length = was.till - was.from;
  const snapped = Math.round((at - drag.grab) / lane.step) * lane.step;
  if (kind === "move") choose({ unit: lane.unit, ...fitted(lane, snapped, snapped + length), block });
  if (kind === "from") choose({ unit: was.unit, from: Math.max(0, Math.min(at, was.till - lane.least)), till: was.till, block });
  if (kind === "till") choose({ unit: was.unit, from: was.from, till: Math.min(Number(grid().dataset.steps), Math.max(at, was.from + lane.least)), block });
  block?.classList.add("moving");
}

function edgeOf(block, clientX) {
  const box = block.getBoundingClientRect();
  const perStep = box.width / widthOf(block);
  const from = box.left + (Number(block.dataset.from) - Number(block.dataset.s)) * perStep;
  const till = from + (Number(block.dataset.till) - Number(block.dataset.from)) * perStep;
  if (till - from < 4 * EDGE_PX) return "move";
  if (Math.abs(clientX - from) < EDGE_PX) return "from";
  return Math.abs(clientX - till) < EDGE_PX ? "till" : "move";
}

/** What a press at this place would begin; null where nothing can be dragged. */
function intention(event) {
  const row = event.target.closest(".gr[data-unit]");
  if (!row || !canBook()) return null;
  const lane = laneOf(grid(), row.dataset.unit);
  const selection = event.target.closest(".sel");
  if (selection) {
    const kind = event.target.dataset.edge || "move";
    return () => startSelection(kind, stepAt(lane, event.clientX, "round"));
  }
  const block = event.target.closest(".bk");
  if (block) return block.dataset.move ? () => startBlock(block, edgeOf(block, event.clientX), stepAt(lane, event.clientX, "round")) : null;
  if (event.target.closest(".closed, .rh")) return null;
  return () => startNew(lane, stepAt(lane, event.clientX, "floor"));
}

let pressed = null; // { x, y, begin, timer } between pressing and dragging

scroller.addEventListener("pointerdown", (event) => {
  if (event.button || !event.isPrimary || drag) return;
  const begin = intention(event);
  if (!begin) return;
  const onBlock = Boolean(event.target.closest(".bk"));
  const atOnce = event.target.closest(".sel") || (event.pointerType === "mouse" && !onBlock);
  pressed = { x: event.clientX, y: event.clientY, begin, mouse: event.pointerType === "mouse", timer: 0 };
  if (atOnce) begin();
  else if (!pressed.mouse) pressed.timer = setTimeout(() => { navigator.vibrate?.(10); begin(); }, PRESS_MS);
});

let frame = 0;
addEventListener("pointermove", (event) => {
  if (!drag && pressed) {
    const isFar = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > SLACK_PX;
    if (isFar && pressed.mouse) pressed.begin();
    else if (isFar) cancelPress();
  }
  if (!drag) return;
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => {
    if (!drag) return;
    if (drag.kind !== "new") drag.moved = true;
    pull(event);
  });
});

function cancelPress() {
  clearTimeout(pressed?.timer);
  pressed = null;
}

addEventListener("pointerup", (event) => {
  cancelPress();
  if (isLate) setTimeout(refresh, 0);
  cancelAnimationFrame(frame);
  if (!drag) return;
  if (drag.kind !== "new" && drag.moved) pull(event);
  const ended = drag;
  drag = null;
  ended.block?.classList.remove("moving");
  if (ended.kind === "new" && !ended.moved) choose({ unit: ended.lane.unit, ...usual(ended.lane, ended.anchor), block: null });
  if (ended.block && ended.moved && !form()) return void moveBlock(ended.block);
  if (ended.kind === "new" && chosen?.block === null && form()?.dataset.move) sheet.close();
  if (chosen) follow();
});

addEventListener("pointercancel", () => {
  cancelPress();
  drag?.block?.classList.remove("moving");
  drag = null;
});

// A drag by touch must not scroll; scrolling stays free until the press was held.
scroller.addEventListener("touchmove", (event) => { if (drag) event.preventDefault(); }, { passive: false });
scroller.addEventListener("contextmenu", (event) => { if (pressed || drag) event.preventDefault(); });
scroller.addEventListener("dragstart", (event) => event.preventDefault());

scroller.addEventListener("click", (event) => {
  const block = event.target.closest(".bk");
  const link = block?.querySelector("a");
  if (link && !event.target.closest("a")) location.assign(link.href);
});

async function moveBlock(block) {
  const { from, till } = hours();
  const fields = { _token: token, space: chosen.unit, date: grid().dataset.date, from, to: till, version: block.dataset.version, back: "grid",
    kind: new URLSearchParams(grid().dataset.query).get("kind") };
  const answer = await post(`/reservations/${block.dataset.uid}/move`, fields);
  const html = await answer.text();
  if (answer.ok) {
    choose(null);
    done(html);
  } else {
    page.classList.remove("alone");
    sheet.show(html);
  }
}

// ── keyboard ──────────────────────────────────────────────────────────────

const cursor = new Cursor(grid);

scroller.addEventListener("keydown", (event) => {
  if (event.target !== grid()) return;
  if (event.shiftKey && ["ArrowLeft", "ArrowRight"].includes(event.key)) extend(event.key === "ArrowRight" ? 1 : -1);
  else if (event.key === "Enter" || event.key === " ") press();
  else if (event.key === "Escape") return void (sheet.isOpen ? sheet.close() : choose(null));
  else if (!cursor.go(event.key)) return;
  event.preventDefault();
});

function press() {
  const cell = cellAt(grid(), cursor.row, cursor.at);
  const link = cell.block?.querySelector("a");
  if (link) return location.assign(link.href);
  if (cell.block || !canBook()) return;
  const isChosen = chosen && chosen.unit === cell.lane.unit && chosen.from <= cursor.at && cursor.at < chosen.till;
  if (isChosen && form()) return void (form().querySelector("#s-title") ?? form().querySelector("select")).focus();
  choose({ unit: cell.lane.unit, ...usual(cell.lane, cursor.at), block: null });
  follow();
}

function extend(by) {
  const lane = cellAt(grid(), cursor.row, cursor.at).lane;
  if (!canBook()) return;
  if (!chosen || chosen.unit !== lane.unit) choose({ unit: lane.unit, ...usual(lane, cursor.at), block: null });
  else choose({ ...chosen, ...fitted(lane, chosen.from, chosen.till + by * lane.step) });
  follow();
}

document.getElementById("new")?.addEventListener("click", (event) => {
  event.preventDefault();
  const free = cursor.firstFree();
  if (!free) return location.assign(event.target.closest("a").href);
  choose({ unit: free.lane.unit, ...usual(free.lane, free.at), block: null });
  openSheet("#s-title, #s-space");
});

// ── time passes, others book ──────────────────────────────────────────────

let isLate = false; // a change came while something was being dragged: the lanes wait until it is let go

let refreshing = null;
let isWanted = false;

/** Fetch the lanes again; one fetch at a time, and another one after it when something changed meanwhile. */
async function refresh() {
  isWanted = true;
  refreshing ??= refreshAll().finally(() => { refreshing = null; });
  await refreshing;
}

async function refreshAll() {
  while (isWanted) {
    isWanted = false;
    await refreshOnce();
  }
}

async function refreshOnce() {
  const was = grid();
  const html = await get(`/days/${was.dataset.date}?${was.dataset.query}`).then((answer) => (answer.ok ? answer.text() : ""), () => "");
  if (!html) return void setTimeout(refresh, AGAIN_MS);
  isLate = Boolean(pressed || drag); // asked at the last moment: a press may have come while the answer did
  if (isLate) return;
  const hadFocus = document.activeElement === was;
  was.outerHTML = html;
  if (hadFocus) grid().focus({ preventScroll: true });
  if (hadFocus) cursor.redraw();
  if (chosen) {
    const block = chosen.block && document.getElementById(chosen.block.id);
    choose({ ...chosen, block });
    if (form()) checkSoon();
  }
  tick();
}

const skew = Number(grid().dataset.now) - Date.now();

function tick() {
  const now = Date.now() + skew;
  if (!document.getElementById("nowline").hidden) showNow(grid(), (now - Number(grid().dataset.opens)) / 300000);
  for (const held of grid().querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.ceil((Number(held.dataset.until) - now) / 1000));
    held.lastElementChild.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (left === 0) held.remove();
  }
}

setInterval(tick, 1000);
new Feed(grid, document.getElementById("fresh"), refresh).open();
addEventListener("pagehide", release);

const line = document.getElementById("nowline");
if (!line.hidden && scroller.scrollWidth > scroller.clientWidth) {
  scroller.scrollLeft = Math.max(0, line.firstElementChild.offsetLeft - scroller.clientWidth / 3);
}
if (form()) fromForm();
