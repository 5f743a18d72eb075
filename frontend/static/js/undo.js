// What was just done, with its undo: a note on the page without scripts, here a toast for eight seconds.

import { TOAST_MS } from "./base.js";

for (const note of document.querySelectorAll("[data-toast]")) {
  note.className = "toast";
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), TOAST_MS);
}
// A reload tells nothing anew.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  for (const name of ["done", "closure"]) address.searchParams.delete(name);
  history.replaceState(null, "", address);
}
