// The board of rooms: clocks, the age of what is shown, and a word when an alarm comes up.

import { _ } from "./base.js";
import { clock } from "./tally.js";

let heardAt = performance.now();
const board = document.getElementById("board");
const skew = board ? Number(board.dataset.now) - Date.now() : 0;

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) heardAt = performance.now();
});

setInterval(() => {
  for (const one of document.querySelectorAll("[data-since]")) one.textContent = clock((Date.now() + skew - Number(one.dataset.since)) / 1000);
  const seconds = Math.round((performance.now() - heardAt) / 1000);
  const age = document.querySelector("[data-age]");
  if (age) age.textContent = seconds < 4 ? _("just now") : _("{n} s ago", { n: seconds });
}, 1000);
