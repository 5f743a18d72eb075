// What was just done, with its undo: a note on the page without scripts, here a toast for eight seconds.

import { putToast } from "./base.js";

for (const note of document.querySelectorAll("[data-toast]")) {
  note.className = "toast";
  putToast(note);
}
// A reload tells nothing anew.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  for (const name of ["done", "closure"]) address.searchParams.delete(name);
  history.replaceState(null, "", address);
}
