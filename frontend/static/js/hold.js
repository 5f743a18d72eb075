// What the hand feels: a button that must be held 1.5 s (its words count down too, so that it works without motion), and a buzz.

import { _ } from "./base.js";

export const HOLD_MS = 1500;

/** Vibrate where there is something to vibrate; browsers complain when nobody has touched the page yet. */
export function buzz(pattern) {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(pattern);
}

/** Call `done` after the button was held; `words` is the element that counts; `may()` tells whether holding starts at all. */
export function holdable(button, words, done, may = () => true) {
  let since = 0;
  let timer = 0;
  const idle = words.textContent;

  function release() {
    clearInterval(timer);
    since = 0;
    button.classList.remove("down");
    words.textContent = idle;
  }

  function press() {
    if (since || !may()) return;
    since = performance.now();
    button.classList.add("down");
    timer = setInterval(() => {
      const left = HOLD_MS - (performance.now() - since);
      if (left > 0) {
        words.textContent = _("{n} s more", { n: (left / 1000).toFixed(1) });
        return;
      }
      release();
      done();
    }, 50);
  }

  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    press();
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) button.addEventListener(name, release);
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("click", (event) => event.preventDefault());
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) press();
  });
  button.addEventListener("keyup", release);
}
