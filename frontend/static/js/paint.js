// Puts the state of a room on the page; writes only what has become different.

import { TOAST_MS, _ } from "./base.js";
import { buzz } from "./hold.js";
import { clock, isIdle, isSending, mode, overlay, tally, unheard } from "./tally.js";

const ENDING_MS = 10 * 60_000;
const ENDING_SOON_MS = 5 * 60_000;
const STEPS_MS = 60_000;

export class Paint {
  constructor(root, state, pictures) {
    Object.assign(this, { root, state, pictures });
    this.$ = (id) => root.querySelector(`#${id}`);
    const icons = new Map([...this.$("icons").content.querySelectorAll("[data-icon]")].map((one) => [one.dataset.icon, one.innerHTML]));
    this.icon = (name) => icons.get(name) ?? "";
    this.second = new Intl.DateTimeFormat("zh-CN", { timeStyle: "medium", hourCycle: "h23", timeZone: root.dataset.zone });
    this.tiles = [];
    this.last = {};
    this.offered = Infinity;
  }

  /** Do something only when its cause has changed. */
  once(name, cause, act) {
    const key = JSON.stringify(cause);
    if (this.last[name] === key) return;
    this.last[name] = key;
    act();
  }

  text(id, text) {
    this.once(id, text, () => { this.$(id).textContent = text; });
  }

  show(id, isShown) {
    this.$(id).hidden = !isShown;
  }

  all() {
    const { state, root } = this;
    const how = mode(state);
    const isOn = isSending(state.rig);
    root.dataset.air = how === "on" && isOn ? "1" : "0";
    root.dataset.lost = how === "lost" ? "1" : "0";
    root.dataset.was = how === "lost" && state.wasSending ? "1" : "0";
    root.dataset.ctl = this.isMine() ? "mine" : "viewer";
    if (state.rig?.canvas) root.dataset.canvas = state.rig.canvas;
    if (how === "on") state.seenAt = this.second.format(state.now);
    this.tally();
    this.scenes();
    this.picture(how, isOn);
    this.over();
    this.outputs();
    this.lease();
    this.time();
    this.key();
    this.health(how);
    this.help();
  }

  isMine() {
    const { rig, session } = this.state;
    return Boolean(session?.may && rig?.mine && (rig.control.mine || rig.control.free || session.staff));
  }

  tally() {
    const now = tally(this.state);
    this.once("tally", [now.cls, now.sign], () => {
      this.$("tally").className = `tally ${now.cls}`;
      this.$("tally-sign").innerHTML = now.sign === "dot" ? '<span class="dot"></span>' : this.icon(now.sign);
    });
    this.text("tally-word", now.text);
    this.text("tally-more", now.more);
    this.show("tally-more", Boolean(now.more));
    this.show("tally-clock", now.since !== null);
    if (now.since !== null) this.text("tally-clock", clock((this.state.now - now.since) / 1000));
    this.text("panic", this.state.rig?.panic?.level > 0 ? _("Force stop") : _("Panic"));
  }

  scenes() {
    const { rig, asked } = this.state;
    const scenes = rig?.mine ? rig.scenes : [];
    this.once("tiles", [scenes, Boolean(rig?.mine)], () => this.buildTiles(scenes));
    this.once("lit", [scenes, rig?.program, asked?.scene, asked?.isOver], () => {
      for (const tile of this.tiles) {
        const isAsked = tile.dataset.scene === asked?.scene;
        tile.classList.toggle("cur", tile.dataset.scene === rig?.program);
        tile.classList.toggle("ask", isAsked);
        tile.setAttribute("aria-pressed", String(tile.dataset.scene === rig?.program));
        tile.querySelector(".w.a").textContent = isAsked && asked.isOver ? _("not confirmed") : _("asked");
      }
    });
    this.tiles.forEach((tile, index) => this.pictures.want(tile.querySelector("img"), index, rig?.pictures?.[index]));
  }

  buildTiles(scenes) {
    this.root.dataset.many = scenes.length > 8 ? "1" : "0";
    this.tiles = scenes.map((scene, index) => {
      const tile = Object.assign(document.createElement("button"), { className: "tile", type: "button" });
      tile.dataset.scene = scene;
      tile.innerHTML = '<span class="pic"><img alt="" hidden></span><span class="nm"><i></i><span></span><span class="w g"></span><span class="w c"></span><span class="w a"></span></span>';
      const [number, name, onAir, current] = tile.querySelector(".nm").children;
      number.textContent = index < 8 ? index + 1 : "";
      name.textContent = scene;
      onAir.textContent = _("On air");
      current.textContent = _("Current");
      return tile;
    });
    const box = this.$("scenes");
    if (scenes.length && scenes.length <= 4) box.dataset.cols = String(scenes.length);
    else delete box.dataset.cols;
    box.replaceChildren(...this.tiles);
    if (!this.tiles.length) box.append(Object.assign(document.createElement("p"), { className: "none", textContent: _("The scenes appear here once the room is prepared.") }));
  }

  picture(how, isOn) {
    const { rig, ageS } = this.state;
    const index = rig?.mine ? rig.scenes.indexOf(rig.program) : -1;
    if (index >= 0) this.pictures.want(this.$("program"), index, rig.pictures[index]);
    this.text("cap-word", isOn && how === "on" ? _("On air") : _("Picture"));
    this.text("cap-scene", rig?.mine ? rig.program : "");
    this.text("cap-age", how === "on" ? (rig?.slow ? _("rare: OBS is busy") : this.ago(ageS)) : how === "lost" && this.state.seenAt ? _("from {at}", { at: this.state.seenAt }) : "");
  }

  ago(seconds) {
    return _("{n} s ago", { n: seconds < 10 ? Math.max(seconds, 0).toFixed(1) : Math.round(seconds) });
  }

  over() {
    const due = overlay(this.state);
    if (due?.title !== this.putAway) this.putAway = undefined;
    const shown = this.putAway === undefined ? due : null;
    const isClear = this.isMine() || this.state.session?.may;
    this.once("over", [shown, isClear], () => {
      this.show("over", Boolean(shown));
      this.show("told", Boolean(shown?.calm)); // on a phone, where the picture is too small for words
      if (!shown) return;
      this.$("over").classList.toggle("hint", Boolean(shown.hint));
      this.$("over").classList.toggle("calm", Boolean(shown.calm));
      this.show("over-close", Boolean(shown.calm));
      this.$("told-title").textContent = shown.title;
      this.$("told-text").textContent = shown.text;
      this.$("over-title").textContent = shown.title;
      this.$("over-text").textContent = shown.text;
      this.show("over-act", shown.act === "restore" && Boolean(isClear));
      this.$("over-act").textContent = _("Bring picture and sound back");
    });
  }

  outputs() {
    const { rig, session } = this.state;
    const isMine = this.isMine();
    const isReady = Boolean(rig?.mine);
    const output = rig?.plan?.output ?? session.output;
    const isRunning = isReady && !isIdle(rig.sending);
    const isRecording = isReady && !isIdle(rig.record);
    this.show("stop", isMine && isRunning && output !== "record");
    this.show("start", isMine && !isRunning && output !== "record");
    this.show("record", isMine && isReady);
    this.text("stop-word", output === "client" ? _("Stop sending") : _("Stop stream"));
    this.text("start-word", output === "client" ? _("Start sending") : _("Start stream"));
    const why = this.whyNoStart(rig, output);
    this.text("start-why", why);
    this.show("start-why", Boolean(why));
    this.once("start-off", [why], () => {
      this.$("start").disabled = Boolean(why);
      this.$("start").classList.toggle("pri", !why);
    });
    this.once("record-wide", output, () => this.$("record").classList.toggle("wide", output === "record"));
    this.text("record-word", isRecording ? _("Stop recording") : _("Record"));
    this.text("record-more", isRecording ? this.recorded(rig.record) : _("not recording"));
  }

  recorded({ phase, since }) {
    if (phase === "stuck") return _("OBS has to be restarted");
    if (phase === "paused") return _("paused at the PC");
    return since ? _("recording {time}", { time: clock((this.state.now - since) / 1000) }) : "";
  }

  whyNoStart(rig, output) {
    if (!rig?.mine) return "";
    if (output === "client" && !rig.camera) return _("this OBS has no virtual camera; start it in the platform’s program");
    if (rig.plan.state === "waiting_for_key") return _("once the key is in");
    if (rig.plan.state === "ready") return "";
    return rig.plan.state === "failed" ? _("the room is not ready") : _("being prepared");
  }

  lease() {
    const { rig, session } = this.state;
    const control = rig?.mine ? rig.control : null;
    const isMine = Boolean(control?.mine);
    const others = Math.max(session.viewers - 1, 0);
    let who = _("Nobody in control");
    if (isMine) who = _("You control");
    else if (control?.device) who = _("Tablet controls");
    else if (control?.holder) who = _("{name} controls", { name: control.holder });
    let more = session.may ? _("Tap to take control") : this.whyWatch(session);
    if (isMine) more = others ? _("{n} more watching", { n: others }) : _("alone here");
    else if (control?.asking) more = _("Asked; take over after 15 s");
    else if (control && !control.free && session.may) more = session.staff ? _("Take over by force") : _("Tap to ask for it");
    const gone = control && !isMine && !control.free ? unheard(this.state) : { seconds: 0, isLong: false };
    if (gone.seconds && session.may) more = session.staff && gone.isLong ? _("Take over: no sign for {n} s", { n: gone.seconds }) : _("No sign for {n} s", { n: gone.seconds });
    const asker = control?.asked_by || control?.asked_device ? this.party(control.asked_by, control.asked_device) : "";
    if (asker) more = _("{name} asks to take over", { name: asker });
    this.text("lease-who", who);
    this.text("lease-more", more);
    this.holder(control?.device ? "" : isMine ? session.name : control?.holder ?? "", Boolean(control?.device));
    this.$("lease").classList.toggle("off", !isMine);
    const why = gone.seconds ? this.unheardWords(control, gone.seconds) : "";
    this.text("take-why", why);
    this.show("take-why", Boolean(why));
    this.show("take", Boolean(session.may && control && (!this.isMine() || gone.isLong)));
    this.text("take-word", control?.free ? _("Take control") : control?.asking || gone.isLong ? _("Take over now") : session.staff ? _("Take over by force") : _("Ask to take over"));
    this.once("asked", asker, () => this.askDialog(asker));
  }

  unheardWords(control, n) {
    return control.device ? _("The tablet has not been heard for {n} s", { n }) : _("{name} has not been heard for {n} s", { name: control.holder, n });
  }

  /** Who controls or asks, by name: a tablet is told by its room, since the person who checked in may be far from it. */
  party(name, isDevice) {
    return isDevice ? _("Tablet ({room})", { room: this.state.session.room }) : name;
  }

  /** The sign of who controls: the tablet as such, a person's first letter, or nobody. */
  holder(name, isDevice) {
    const initial = name.trim().slice(0, 1).toUpperCase();
    this.once("holder", [initial, isDevice], () => {
      const box = this.$("lease-initial");
      if (isDevice) box.innerHTML = this.icon("tablet");
      else if (initial) box.textContent = initial;
      else box.innerHTML = this.icon("user");
    });
  }

  askDialog(name) {
    const dialog = this.$("ask-dialog");
    if (!name) {
      dialog.close();
      return;
    }
    this.$("ask-title").textContent = _("{name} asks to take over", { name });
    if (!dialog.open) dialog.showModal();
  }

  whyWatch(session) {
    if (session.why_not === "not_checked_in") return _("Check in first");
    if (session.why_not === "session_over") return _("The session is over");
    return _("You are watching");
  }

  time() {
    const { session, now } = this.state;
    const left = session.ends - now;
    const isEnding = left <= ENDING_MS;
    const isOver = left < 0;
    this.text("left", isOver ? `+${clock(-left / 1000)}` : clock(left / 1000));
    this.text("left-word", isOver ? _("Over time") : _("Time left"));
    this.text("till", isOver ? _("Everything stops in {time}", { time: clock((session.cut_off - now) / 1000) }) : _("Ends {until}", { until: session.until }));
    this.$("time").classList.toggle("end", isEnding);
    const used = Math.min(Math.max((now - session.starts) / (session.ends - session.starts), 0), 1);
    this.once("used", Math.round(used * 200), () => {
      this.$("used-bar").style.transform = `scaleX(${used.toFixed(3)})`;
      this.$("used").setAttribute("aria-label", _("{n}% used", { n: Math.round(used * 100) }));
      this.$("used-bar").classList.toggle("wait", isEnding);
    });
    this.once("follows", session.follows, () => this.follows(session.follows));
    this.extensions(isEnding && session.may && this.isMine());
    if (isEnding) this.announce(left);
  }

  follows(next) {
    const box = this.$("follows");
    if (!next) {
      box.textContent = _("Nobody follows today");
      return;
    }
    const name = document.createElement("b");
    name.append(Object.assign(document.createElement("span"), { className: "num", textContent: next.at }), ` ${next.who}`);
    const before = Object.assign(document.createElement("span"), { className: "o", textContent: _("Next") });
    const after = Object.assign(document.createElement("span"), { className: "o", textContent: _("Setup from {at}", { at: next.setup }) });
    const line = Object.assign(document.createElement("br"), { className: "o" });
    box.replaceChildren(before, " ", name, ...(next.setup && next.setup !== next.at ? [line, after] : []));
  }

  extensions(isShown) {
    const { session } = this.state;
    const offers = isShown ? session.extend : [];
    this.once("extend", offers, () => {
      const buttons = offers.map((offer, index) => {
        const button = Object.assign(document.createElement("button"), { type: "button", disabled: !offer.free });
        button.className = offer.free && index === 0 ? "btn pri" : "btn";
        Object.assign(button.dataset, { minutes: offer.minutes, version: offer.version });
        const words = Object.assign(document.createElement("span"), { className: "tw" });
        words.append(Object.assign(document.createElement("span"), { textContent: _("+{n} min", { n: offer.minutes }) }));
        words.append(Object.assign(document.createElement("small"), { textContent: offer.free ? _("until {until}", { until: offer.until }) : offer.why }));
        button.append(words);
        return button;
      });
      this.$("extend").replaceChildren(...buttons);
      this.show("extend", Boolean(buttons.length));
    });
  }

  /** Say it once at ten and once at five minutes before the end. */
  announce(left) {
    const step = left <= ENDING_SOON_MS ? ENDING_SOON_MS : ENDING_MS;
    if (left <= 0 || this.offered === step) return;
    if (this.offered > step && Number.isFinite(this.offered)) this.offered = Infinity;
    this.offered = step;
    this.say(_("{n} minutes left", { n: Math.ceil(left / STEPS_MS) }));
    buzz([40, 60, 40]);
  }

  key() {
    const { rig, session } = this.state;
    const output = rig?.plan?.output ?? session.output;
    const isStream = output === "stream";
    const isMissing = isStream && !session.key;
    const isBad = isStream && Boolean(rig?.mine && rig.plan.code === "destination_changed");
    this.show("key-ask", (isMissing || isBad) && session.paste);
    this.show("key-have", !((isMissing || isBad) && session.paste));
    this.$("key").classList.toggle("ask", isMissing || isBad);
    this.$("key").classList.toggle("bad", isBad);
    this.text("key-ask-word", isBad ? _("Key was changed") : _("No key yet"));
    this.text("key-title", isStream ? _("Stream key") : _("Output"));
    const [icon, text, more, cls] = this.keyWords(output);
    this.once("key-word", [icon, text, cls], () => {
      this.$("key-word").className = `ln ${cls}`;
      this.$("key-word").innerHTML = this.icon(icon);
      this.$("key-word").append(text);
    });
    this.once("key-more", more, () => {
      this.$("key-more").replaceChildren(...more.map((part) => Object.assign(document.createElement("span"), { className: "by", textContent: part })));
    });
  }

  keyWords(output) {
    const { rig, session } = this.state;
    if (output === "client") return ["cam", _("Platform client"), [_("No key needed: the platform’s own program takes the picture.")], ""];
    if (output === "record") return ["rec", _("Record only"), [_("Nothing is streamed.")], ""];
    if (!session.key) return ["key", _("No key yet"), [_("The merchant’s people paste it.")], ""];
    const by = _("by {name} {at}", { name: session.key.by || "–", at: session.key.at });
    const more = [session.key.shown, by];
    if (rig?.mine && rig.plan.armed) return ["check", _("Written, verified"), more, "ok"];
    return ["clock", rig?.mine ? _("Being written") : _("Kept until the room is prepared"), more, ""];
  }

  health(how) {
    const { rig, ageS } = this.state;
    const isBad = how === "lost" || !this.state.isUp;
    const isAway = how === "on" && rig.database_away;
    let words = _("All well");
    if (this.state.isShut) words = _("Bookings out of reach");
    else if (how === "lost") words = _("No news for {n} s", { n: Math.round(ageS) });
    else if (!this.state.isUp) words = _("Reconnecting");
    else if (isAway) words = _("Bookings out of reach");
    else if (how === "apart" || how === "connecting") words = _("Not prepared yet");
    this.once("health", [words, isBad], () => {
      this.$("health").className = isBad || isAway ? "bad" : "";
      this.$("health").innerHTML = this.icon(isBad ? "off" : isAway ? "alert" : "wifi");
      this.$("health").append(words);
    });
    const isKnown = rig?.mine;
    const isOut = isKnown && isSending(rig) && rig.plan.output === "stream";
    this.text("h-link", rig?.age === undefined ? "—" : this.ago(ageS));
    this.text("h-rate", isOut ? _("{n} Mbps", { n: (rig.stats.kbit / 1000).toFixed(1) }) : "—");
    this.text("h-drop", isOut ? `${rig.stats.dropped.toFixed(1)}%` : "—");
    this.text("h-disk", isKnown && rig.stats.left !== null ? this.hours(rig.stats.left) : "—");
  }

  hours(minutes) {
    if (minutes < 60) return _("{n} min", { n: minutes });
    if (minutes >= 48 * 60) return _("over 48 h");
    return _("{h} h {m} min", { h: Math.floor(minutes / 60), m: minutes % 60 });
  }

  help() {
    const call = this.state.session.help;
    this.text("staff-word", !call ? _("Call operator") : call.seen ? _("{name} is coming", { name: call.by }) : _("Called"));
    this.text("staff-more", !call ? "" : call.seen ? _("seen {at}", { at: call.seen }) : _("called {at}, not seen yet", { at: call.at }));
    this.show("staff-more", Boolean(call));
  }

  say(text) {
    this.$("say").textContent = text;
  }

  complain(said) {
    this.$("toast-text").textContent = said.text || _("Not done ({code}).", { code: said.code || said.outcome });
    this.show("toast", true);
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => this.hush(), TOAST_MS);
  }

  hush() {
    this.show("toast", false);
  }

  /** Put away what lies over the picture until something else is to be said. */
  putOverAway() {
    this.putAway = overlay(this.state)?.title;
    this.over();
  }
}
