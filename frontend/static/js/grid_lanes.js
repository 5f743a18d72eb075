// The arithmetic of lanes: steps of 5 minutes, where they lie on the screen, what is busy, and how a choice is drawn.

const STEP_MS = 5 * 60 * 1000;
const GAP_PX = 6;
const formats = new Map();

/** Tell the local time of the site at a step of the day: 16:15. */
export function timeText(grid, step) {
  const zone = grid.dataset.zone;
  if (!formats.has(zone)) formats.set(zone, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));
  return formats.get(zone).format(Number(grid.dataset.opens) + step * STEP_MS);
}

/** Return the step at which a local time lies; the same as counting from the opening, also where clocks change. */
export function startsOf(grid, text) {
  for (let step = 0; step <= Number(grid.dataset.steps); step += 1) if (timeText(grid, step) === text) return step;
  return -1;
}

const numberOf = (element, letter) => Number(new RegExp(`(?:^| )${letter}(\\d+)(?: |$)`).exec(element.className)?.[1] ?? 0);

/** Return how many steps a block is long, setup and teardown included. */
export const widthOf = (element) => numberOf(element, "w");

function spanOf(element) {
  const from = numberOf(element, "s");
  return { from, till: from + widthOf(element), element };
}

/** Return a lane with its measures in steps and all that is busy in it. */
export function laneOf(grid, unit) {
  const row = [...grid.querySelectorAll(".gr[data-unit]")].find((one) => one.dataset.unit === unit);
  if (!row) return null;
  const of = (name) => Number(row.dataset[name]);
  const element = row.querySelector(".lane");
  return {
    row, element, unit, name: row.dataset.name, step: of("step"), least: of("least"), most: of("most"), setup: of("setup"), teardown: of("teardown"),
    steps: Number(grid.dataset.steps), busy: [...element.querySelectorAll('.bk:not([data-held="mine"]), .closed')].map(spanOf),
  };
}

/** Return the step under the pointer, on the lane's own steps. */
export function stepAt(lane, clientX, rounding) {
  const box = lane.element.getBoundingClientRect();
  const at = ((clientX - box.left) / box.width) * lane.steps / lane.step;
  return Math.min(Math.max(Math[rounding](at) * lane.step, 0), lane.steps);
}

/** Return what is busy at a step, null when it is free. */
export const busyAt = (lane, at) => lane.busy.find((one) => one.from <= at && at < one.till) ?? null;

function part(className, from, till) {
  const element = document.createElement("div");
  element.className = className;
  element.setAttribute("aria-hidden", "true");
  element.style.setProperty("--s", from);
  element.style.setProperty("--w", till - from);
  return element;
}

/** Draw the choice with its setup and teardown, and tell whether it meets something busy. */
export function drawSelection(grid, chosen) {
  for (const old of grid.querySelectorAll(".sel, .selbuf")) old.remove();
  const lane = chosen && laneOf(grid, chosen.unit);
  if (!lane) return false;
  const [begin, end] = [chosen.from - lane.setup, chosen.till + lane.teardown];
  const hits = lane.busy.filter((one) => one.element !== chosen.block
    && (one.element.matches(".closed") ? chosen.from < one.till && one.from < chosen.till : begin < one.till && one.from < end));
  const isBefore = hits.some((one) => one.from < chosen.from);
  const isAfter = hits.some((one) => one.till > chosen.till);
  const body = part(`sel${hits.length ? " bad" : ""}`, chosen.from, chosen.till);
  body.append(Object.assign(document.createElement("i"), { className: "from" }), `${timeText(grid, chosen.from)}–${timeText(grid, chosen.till)}`,
    Object.assign(document.createElement("i"), { className: "till" }));
  body.firstElementChild.dataset.edge = "from";
  body.lastElementChild.dataset.edge = "till";
  if (lane.setup) lane.element.append(part(`selbuf${isBefore ? " bad" : ""}`, Math.max(begin, 0), chosen.from));
  if (lane.teardown) lane.element.append(part(`selbuf${isAfter ? " bad" : ""}`, chosen.till, Math.min(end, lane.steps)));
  lane.element.append(body);
  return hits.length > 0;
}

/** Move line and clock to a step, and hide the hours that the clock would cover. */
export function showNow(grid, step) {
  const clock = grid.querySelector("#nowtime");
  for (const part of [clock, grid.querySelector("#nowline > i")]) part.style.setProperty("--s", Math.floor(step));
  clock.textContent = timeText(grid, step);
  const box = clock.getBoundingClientRect();
  for (const hour of clock.parentElement.querySelectorAll(".hour")) {
    const range = document.createRange();
    range.selectNodeContents(hour);
    const text = range.getBoundingClientRect();
    hour.classList.toggle("off", text.right + GAP_PX > box.left && text.left - GAP_PX < box.right);
  }
}
