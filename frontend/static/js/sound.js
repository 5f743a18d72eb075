// The sound of a room: one button per source (mute), its level with a peak mark, and the sheet of faders.

import { _ } from "./base.js";

const FLOOR_DB = -60;
const SILENT_DB = -55;
const SILENT_AFTER_S = 10;
const CLIP_DB = -0.5;
const FADER_MIN = -60;
const FADER_MAX = 6;
const FADER_EVERY_MS = 80;
const MUTED_OFF = -100;

const share = (db) => Math.min(Math.max((db - FLOOR_DB) / -FLOOR_DB, 0), 1);
const shownDb = (db) => (db <= FADER_MIN ? "−∞ dB" : `${db > 0 ? "+" : db < 0 ? "−" : ""}${Math.abs(db).toFixed(1)} dB`);

export class Sound {
  /** `tell(type, params)` sends a command; `may()` tells whether commands are allowed. */
  constructor(root, { icon, tell, may }) {
    Object.assign(this, { icon, tell, may });
    this.box = root.querySelector("#sound");
    this.volume = root.querySelector("#volume");
    this.dialog = root.querySelector("#volume-dialog");
    this.faders = root.querySelector("#faders");
    this.channels = new Map();
    this.names = "";
    this.box.addEventListener("click", (event) => {
      const button = event.target.closest(".chn .btn");
      if (button) this.mute(button.closest(".chn").dataset.input);
    });
    this.volume.addEventListener("click", () => this.dialog.showModal());
    this.dialog.addEventListener("close", () => this.volume.focus());
  }

  /** Show the sources as OBS has them; `note` says what OBS cannot do to them. */
  show(inputs, note) {
    const names = JSON.stringify([inputs.map((one) => one[0]), note]);
    if (names !== this.names) {
      this.names = names;
      this.build(inputs, note);
    }
    for (const [name, muted, db] of inputs) {
      const channel = this.channels.get(name);
      channel.muted = muted;
      if (channel.asked === muted) channel.asked = null;
      channel.button.setAttribute("aria-pressed", String(muted));
      channel.button.classList.toggle("ask", channel.asked !== null);
      if (document.activeElement !== channel.slider) this.fade(channel, db);
    }
  }

  build(inputs, note) {
    for (const old of this.box.querySelectorAll(".chn, .none")) old.remove();
    this.faders.replaceChildren();
    this.channels.clear();
    this.box.dataset.n = String(Math.min(inputs.length, 8));
    for (const [name] of inputs) this.channels.set(name, this.channel(name));
    const text = note || (inputs.length ? "" : _("OBS has no sound source."));
    if (text) this.volume.before(Object.assign(document.createElement("p"), { className: "none", textContent: text }));
    this.volume.hidden = !inputs.length;
  }

  channel(name) {
    const isMic = /mic|麦|mikro/i.test(name);
    const row = document.createElement("div");
    row.className = "chn";
    row.dataset.input = name;
    const button = Object.assign(document.createElement("button"), { className: "btn", type: "button" });
    button.setAttribute("aria-label", _("{name}, mute", { name }));
    button.innerHTML = `<span class="m0">${this.icon(isMic ? "mic" : "vol")}</span><span class="m1">${this.icon(isMic ? "micoff" : "mute")}</span>`;
    button.append(Object.assign(document.createElement("span"), { textContent: name }));
    const level = document.createElement("div");
    level.className = "lv";
    level.innerHTML = '<div class="meter" aria-hidden="true"><i></i><b hidden></b></div><span class="num"></span>';
    row.append(button, level);
    this.volume.before(row);
    const channel = {
      name, button, row, mask: level.querySelector("i"), mark: level.querySelector("b"), meter: level.firstChild, words: level.lastChild,
      asked: null, muted: false, peak: FLOOR_DB, peakAt: 0, loudAt: 0, clipAt: -1e9, heardAt: -1e9, hadSound: false,
    };
    this.fader(channel);
    return channel;
  }

  mute(name) {
    const channel = this.channels.get(name);
    if (!channel || !this.may()) return;
    const muted = !(channel.asked ?? channel.muted);
    const answer = this.tell("set_mute", { input: name, muted });
    channel.asked = muted;
    channel.button.classList.add("ask");
    answer.then((said) => {
      if (said.outcome === "refused" || said.outcome === "expired") channel.asked = null;
    });
  }

  /** Take the levels of all active sources: [name, loudness, peak] in dB. */
  hear(levels) {
    const now = performance.now();
    for (const [name, loudness, peak] of levels) {
      const channel = this.channels.get(name);
      if (!channel) continue;
      channel.heardAt = now;
      if (channel.muted) continue;
      if (loudness > SILENT_DB) {
        channel.loudAt = now;
        channel.hadSound = true;
      }
      if (peak >= CLIP_DB) channel.clipAt = now;
      if (peak >= channel.peak || now - channel.peakAt > 1500) {
        channel.peak = peak;
        channel.peakAt = now;
      }
      channel.db = loudness;
      channel.mask.style.transform = `scaleX(${(1 - share(peak)).toFixed(3)})`;
      channel.mark.hidden = channel.peak <= FLOOR_DB;
      channel.mark.style.transform = `translateX(${Math.round(share(channel.peak) * (channel.meter.clientWidth - 2))}px)`;
    }
  }

  /** Say in words what the meters show, a few times a second. */
  speak(isSending) {
    const now = performance.now();
    for (const channel of this.channels.values()) {
      const isHeard = now - channel.heardAt < 1000;
      if (!isHeard || channel.muted) {
        channel.mask.style.transform = "scaleX(1)";
        channel.mark.hidden = true;
      }
      const silentFor = Math.round((now - channel.loudAt) / 1000);
      const isSilent = isSending && isHeard && channel.hadSound && silentFor >= SILENT_AFTER_S;
      const isClipping = now - channel.clipAt < 2000;
      const isBad = !channel.muted && (isSilent || isClipping);
      channel.row.classList.toggle("bad", isBad);
      let text = _("idle");
      if (channel.muted) text = _("Muted");
      else if (isClipping) text = _("too loud");
      else if (isSilent) text = _("silent {n} s", { n: silentFor });
      else if (isHeard && channel.db > FLOOR_DB) text = `−${Math.abs(Math.round(channel.db))} dB`;
      else if (isHeard) text = _("silent");
      const key = `${isBad}${text}`;
      if (key === channel.said) continue;
      channel.said = key;
      channel.words.textContent = text;
      if (isBad) channel.words.insertAdjacentHTML("afterbegin", this.icon("alert"));
    }
  }

  fader(channel) {
    const label = document.createElement("label");
    label.className = "fdl";
    const slider = Object.assign(document.createElement("input"), { type: "range", min: FADER_MIN, max: FADER_MAX, step: 0.1 });
    const shown = Object.assign(document.createElement("span"), { className: "num r" });
    label.append(Object.assign(document.createElement("b"), { textContent: channel.name }), slider, shown);
    this.faders.append(label);
    Object.assign(channel, { slider, shown });
    slider.addEventListener("input", () => this.move(channel));
    slider.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      slider.value = Number(slider.value) + step * (event.shiftKey ? 0.1 : 0.5);
      this.move(channel);
    });
  }

  fade(channel, db) {
    channel.slider.value = Math.max(db, FADER_MIN);
    this.word(channel);
  }

  word(channel) {
    channel.shown.textContent = shownDb(Number(channel.slider.value));
    channel.slider.setAttribute("aria-valuetext", channel.shown.textContent);
  }

  /** Send where the fader is, at most every 80 ms, and always where it came to rest. */
  move(channel) {
    this.word(channel);
    if (channel.isMoving || !this.may()) return;
    channel.isMoving = true;
    setTimeout(() => {
      channel.isMoving = false;
      const db = Number(channel.slider.value);
      this.tell("set_volume", { input: channel.name, volume_db: db <= FADER_MIN ? MUTED_OFF : db });
    }, FADER_EVERY_MS);
  }
}
