// One cell cursor over the server's blocks, so that the schedule is an ARIA grid with a single tab stop.
import { _ } from "./base.js";
import { busyAt, laneOf, timeText } from "./grid_lanes.js";

const CELL_STEPS = 6; // half an hour

/** Return lane and block at a row and step. */
export function cellAt(grid, row, at) {
  const rows = grid.querySelectorAll(".gr[data-unit]");
  const lane = laneOf(grid, rows[Math.min(row, rows.length - 1)].dataset.unit);
  return { lane, block: busyAt(lane, at)?.element ?? null };
}

/** The cursor: a row and a step; `grid` is a function, because the lanes are replaced when somebody books. */
export class Cursor {
  constructor(grid) {
    this.grid = grid;
    this.row = 0;
    this.at = -1;
    this.element = Object.assign(document.createElement("div"), { className: "cursor", id: "cursor" });
    this.element.setAttribute("role", "gridcell");
    document.addEventListener("focusin", (event) => { if (event.target === grid()) this.redraw(); });
  }

  /** Move by a key; false when the key is not ours. */
  go(key) {
    const rows = this.grid().querySelectorAll(".gr[data-unit]").length;
    if (!rows) return false;
    const last = Number(this.grid().dataset.steps);
    const cell = Math.max(CELL_STEPS, cellAt(this.grid(), this.row, 0).lane.step);
    const busy = busyAt(cellAt(this.grid(), this.row, this.at).lane, this.at);
    const moves = {
      ArrowRight: () => { this.at = Math.min(busy ? busy.till : this.at + cell, last - 1); },
      ArrowLeft: () => { this.at = Math.max((busy ? busy.from : this.at) - cell, 0); },
      ArrowDown: () => { this.row = Math.min(this.row + 1, rows - 1); },
      ArrowUp: () => { this.row = Math.max(this.row - 1, 0); },
      Home: () => { this.at = 0; },
      End: () => { this.at = last - cell; },
    };
    if (!moves[key]) return false;
    moves[key]();
    this.redraw();
    return true;
  }

  /** The first free cell from now on, over all rooms; null when there is none. */
  firstFree() {
    const now = this.#now();
    for (let at = now; at < Number(this.grid().dataset.steps); at += CELL_STEPS) {
      for (const row of this.grid().querySelectorAll(".gr[data-unit]")) {
        const lane = laneOf(this.grid(), row.dataset.unit);
        const isFree = !lane.busy.some((one) => at - lane.setup < one.till && one.from < at + lane.least + lane.teardown);
        if (isFree) return { lane, at };
      }
    }
    return null;
  }

  #now() {
    const past = this.grid().querySelector(".past");
    const steps = past ? Number(/ w(\d+)/.exec(past.className)?.[1] ?? 0) : 0;
    return Math.ceil(steps / CELL_STEPS) * CELL_STEPS;
  }

  /** Show the cursor where it is, and name its cell. */
  redraw() {
    const grid = this.grid();
    if (!grid.querySelector(".gr[data-unit]")) return;
    if (this.at < 0) this.at = Math.min(this.#now(), Number(grid.dataset.steps) - CELL_STEPS);
    const { lane, block } = cellAt(grid, this.row, this.at);
    for (const old of grid.querySelectorAll(".cur")) old.classList.remove("cur");
    this.element.hidden = Boolean(block);
    if (block) {
      block.id ||= `c${this.row}-${this.at}`;
      block.classList.add("cur");
      grid.setAttribute("aria-activedescendant", block.id);
    } else {
      this.element.style.setProperty("--s", this.at);
      this.element.style.setProperty("--w", Math.max(CELL_STEPS, lane.step));
      this.element.setAttribute("aria-label", _("{room} {time}, free", { room: lane.name, time: timeText(grid, this.at) }));
      lane.element.append(this.element);
      grid.setAttribute("aria-activedescendant", "cursor");
    }
    (block ?? this.element).scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}
