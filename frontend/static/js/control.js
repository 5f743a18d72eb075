// The controls of a room: what is tapped goes out at once; what shows is what OBS said.

import { _ } from "./base.js";
import { buzz, holdable } from "./hold.js";
import { Link } from "./link.js";
import { Paint } from "./paint.js";
import { Pictures } from "./pictures.js";
import { Sound } from "./sound.js";
import { isIdle, isSending, mode, unheard } from "./tally.js";

const SECOND_PANIC_MS = 800;
const LATE_MS = 4000;
const TICK_MS = 250;

/** Bring a control page to life; `gone()` is called when its right has ended. Returns what ends it. */
export function startControl(root, gone) {
  const control = new Control(root, gone);
  return () => control.end();
}

class Control {
  constructor(root, gone) {
    this.root = root;
    this.$ = (id) => root.querySelector(`#${id}`);
    this.state = { rig: null, holder: null, session: null, asked: null, ageS: 0, waitedS: 0, wasSending: false, seenAt: "", isUp: false };
    this.bornAt = performance.now();
    this.panicAt = 0;
    this.isLifting = false;
    this.over = new AbortController();
    const path = `/live-sessions/${root.dataset.uid}`;
    this.pictures = new Pictures(`${path}/pictures`);
    this.paint = new Paint(root, this.state, this.pictures);
    this.sound = new Sound(root, { icon: this.paint.icon, tell: (type, params) => this.tell(type, params), may: () => this.mayOrSay() });
    for (const message of JSON.parse(this.$("initial").textContent)) this.hear(message);
    this.link = new Link(`${path}/control`, { hear: (message) => this.hear(message), change: () => this.tick(), gone: (code) => gone(code) });
    this.listen();
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.stayAwake();
  }

  end() {
    clearInterval(this.timer);
    this.over.abort();
    this.link.close();
    this.lock?.release().catch(() => {});
  }

  hear(message) {
    if (message.type === "meters") {
      this.sound.hear(message.meters.levels);
      return;
    }
    if (message.type === "holder") {
      this.state.holder = { ...message, at: performance.now() };
      return;
    }
    this.state.skew = message.now - Date.now();
    if (message.type === "session") this.state.session = message;
    if (message.type === "rig") this.hearRig(message);
    if (this.state.session) this.tick();
  }

  hearRig(rig) {
    const { state } = this;
    if (state.rig?.order && rig.order && String(state.rig.order) !== String(rig.order) && isOlder(rig.order, state.rig.order)) return;
    const before = state.rig?.program;
    if (state.rig?.control?.holder !== rig.control?.holder || state.rig?.control?.device !== rig.control?.device) state.holder = null;
    state.rig = rig;
    if (!rig.panic?.level) this.isLifting = false;
    // without a link OBS says nothing, however fresh the director's own word is: the last moment with one counts
    if (rig.link?.state === "online") state.heardAt = performance.now() - 1000 * (rig.age + Math.max(rig.link.heard, 0));
    if (!rig.mine) return;
    if (mode({ ...state, ageS: 0 }) === "on") state.wasSending = isSending(rig);
    if (state.asked && (rig.program === state.asked.scene || state.asked.isOver)) {
      if (rig.program === state.asked.scene) this.confirmed(rig.program);
      state.asked = null;
    } else if (before && before !== rig.program) this.paint.say(_("On: {scene}", { scene: rig.program }));
    this.sound.show(rig.inputs, rig.plan.output === "client" && !rig.audio ? _("Sound does not pass OBS: mute in the platform’s program.") : "");
  }

  confirmed(scene) {
    buzz(15);
    this.paint.say(_("On: {scene}", { scene }));
  }

  tick() {
    const { state } = this;
    const now = performance.now();
    state.isShut = Boolean(this.link?.isShut);
    state.isUp = this.link?.isUp || this.link?.isPolling || false;
    state.waitedS = (now - this.bornAt) / 1000;
    state.ageS = state.heardAt === undefined ? state.waitedS : (now - state.heardAt) / 1000;
    state.now = Date.now() + (state.skew ?? 0);
    if (state.asked && now - state.asked.at > LATE_MS) state.asked = null;
    if (!state.session) return;
    this.paint.all();
    this.sound.speak(isSending(state.rig));
  }

  /** May this page command at this moment? A stale page may not: nobody knows what it would change. */
  may() {
    const { rig, session } = this.state;
    return mode(this.state) === "on" && session?.may && (rig.control.mine || rig.control.free || session.staff);
  }

  /** May it, and if not: say why, so that no tap goes unanswered. */
  mayOrSay() {
    if (this.may()) return true;
    const { rig, session } = this.state;
    const how = mode(this.state);
    let text = _("You are watching");
    if (how === "lost" || how === "connecting") text = _("Not sent: no connection to the room. It is being restored.");
    else if (how === "apart") text = _("The room is not prepared yet.");
    else if (session?.may) text = _("{name} is in control. You can ask to take over.", { name: this.paint.party(rig.control.holder, rig.control.device) });
    this.paint.complain({ text });
    return false;
  }

  /** Send a command, then tell the person if it was refused or nobody confirmed it. */
  tell(type, params) {
    const answer = this.link.send(type, params);
    this.pictures.hush();
    answer.then((said) => {
      if (said.outcome === "refused" || said.outcome === "expired" || said.text) this.paint.complain(said);
      if (said.outcome === "unknown") this.paint.complain({ text: _("Sent, not confirmed. Look at the picture before you tap again.") });
    });
    return answer;
  }

  take(scene) {
    if (scene === undefined || !this.mayOrSay() || (scene === this.state.rig.program && !this.state.asked)) return;
    const answer = this.tell("switch_scene", { scene });
    const asked = { scene, at: performance.now(), isOver: false };
    this.state.asked = asked;
    this.paint.scenes();
    answer.then((said) => {
      if (said.outcome === "done") return;
      asked.isOver = true;
      if (said.outcome !== "unknown" && this.state.asked === asked) this.state.asked = null;
      this.paint.scenes();
    });
  }

  panic() {
    const now = performance.now();
    // what is just being brought back counts as back: two quick presses of somebody in fright must not stop the stream
    const level = this.isLifting ? 0 : this.state.rig?.panic?.level ?? 0;
    if (level === 0 || !this.panicAt) {
      if (level === 0 && now - this.panicAt < SECOND_PANIC_MS) return;
      this.panicAt = now;
      this.tell("panic", { level: level === 0 ? 1 : 2 });
    } else if (now - this.panicAt >= SECOND_PANIC_MS) this.tell("panic", { level: 2 });
  }

  bringBack() {
    this.panicAt = 0;
    this.isLifting = true;
    this.tell("panic", { level: 0 }).then((said) => {
      if (said.outcome !== "done") this.isLifting = false;
    });
  }

  listen() {
    const { $, over } = this;
    const on = (id, act) => $(id).addEventListener("click", act, { signal: over.signal });
    $("scenes").addEventListener("click", (event) => this.take(event.target.closest(".tile")?.dataset.scene));
    document.addEventListener("keydown", (event) => this.key(event), { signal: over.signal });
    on("panic", () => this.panic());
    on("over-act", () => this.bringBack());
    holdable($("stop"), $("stop-left"), () => this.tell("stop_output"), () => this.mayOrSay());
    on("start", () => this.mayOrSay() && this.busy($("start"), this.tell("start_output")));
    on("record", () => this.mayOrSay() && this.busy($("record"), this.tell(isIdle(this.state.rig.record) ? "start_record" : "stop_record")));
    on("staff", () => this.busy($("staff"), this.tell("call_staff")));
    on("lease", () => this.lease());
    on("take", () => this.lease());
    on("toast-close", () => this.paint.hush());
    for (const id of ["over-close", "told-close"]) on(id, () => this.paint.putOverAway());
    on("ask-keep", () => this.answerAsk(false));
    on("ask-hand", () => this.answerAsk(true));
    $("ask-dialog").addEventListener("cancel", () => this.answerAsk(false));
    $("force-form").addEventListener("submit", (event) => this.force(event));
    $("extend").addEventListener("click", (event) => this.extend(event.target.closest("button")));
    on("paste", () => $("key-dialog").showModal());
    $("key-form").addEventListener("submit", (event) => this.paste(event));
    document.addEventListener("visibilitychange", () => this.stayAwake(), { signal: over.signal });
  }

  async busy(button, answer) {
    button.setAttribute("aria-busy", "true");
    await answer;
    button.removeAttribute("aria-busy");
  }

  key(event) {
    if (event.metaKey || event.ctrlKey || event.altKey || event.repeat || !/^[1-8]$/.test(event.key)) return;
    if (event.target.closest?.("input, textarea, select, dialog")) return;
    this.take(this.state.rig?.scenes?.[Number(event.key) - 1]);
  }

  /** Who wants control: take it where it is free, ask the holder, or as staff by force with a reason. */
  lease() {
    const { rig, session } = this.state;
    if (!session?.may || !rig?.mine) return;
    if (rig.control.mine) {
      if (rig.control.asked_by || rig.control.asked_device) this.$("ask-dialog").showModal();
      return;
    }
    if (rig.control.free || rig.control.asking || unheard(this.state).isLong) this.tell("take_control");
    else if (session.staff) this.$("force-dialog").showModal();
    else this.tell("ask_control").then((said) => said.outcome === "done" && this.paint.say(_("Asked.")));
  }

  answerAsk(handOver) {
    this.tell("answer_control", { hand_over: handOver });
    this.$("ask-dialog").close();
  }

  force(event) {
    event.preventDefault();
    const reason = this.$("force-reason").value.trim();
    if (!reason) {
      this.$("force-reason").focus();
      return;
    }
    this.tell("take_control", { reason }).then((said) => said.outcome === "done" && this.$("force-dialog").close());
  }

  extend(button) {
    if (!button || button.disabled) return;
    const { minutes, version } = button.dataset;
    this.busy(button, this.tell("extend", { minutes: Number(minutes), version: Number(version) }));
  }

  /** What was pasted stays in the field when it is refused; it is gone for good once accepted. */
  async paste(event) {
    event.preventDefault();
    const field = this.$("key-text");
    const error = this.$("key-error");
    const said = await this.link.send("paste", { text: field.value, version: this.state.session.key?.version ?? 0 });
    error.hidden = said.outcome === "done";
    field.toggleAttribute("aria-invalid", said.outcome !== "done");
    if (said.outcome === "done") {
      field.value = "";
      this.$("key-dialog").close();
      this.paint.say(_("Key saved. It is being written and verified."));
      return;
    }
    field.setAttribute("aria-invalid", "true");
    error.textContent = said.text || _("Sent, not confirmed. Wait a moment, then look whether it was saved.");
    field.focus();
  }

  async stayAwake() {
    if (document.hidden) return;
    try {
      this.lock = await navigator.wakeLock?.request("screen");
    } catch {
      this.lock = undefined; // low battery or not allowed: the page works all the same
    }
  }
}

function isOlder(order, than) {
  for (let n = 0; n < order.length; n += 1) if (order[n] !== than[n]) return order[n] < than[n];
  return false;
}
