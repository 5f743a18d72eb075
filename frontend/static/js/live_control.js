// The controls on a person's phone or desk: when the right has ended, the session's page says why.

import { startControl } from "./control.js";

const root = document.getElementById("main");
startControl(root, (code) => location.replace(code === 4401 ? `/sign-in?next=${location.pathname}` : `/live-sessions/${root.dataset.uid}`));
