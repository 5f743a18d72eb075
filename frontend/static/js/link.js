// The line of a control page: a socket that connects at once and again within 2 s; plain requests where sockets are not let through.
// A command goes out once. What nobody answered is "unknown"; nothing is ever repeated by itself.

import { _ } from "./base.js";

const PATIENCE_MS = 3000;
const WAITS_MS = [100, 300, 700, 1500, 2000];
const POLL_MS = 1000;
const HERE_MS = 2000; // so often the page says that it is there: whoever controls and is not heard for long loses control to who asks
const GONE = [4401, 4404];
const TOO_MUCH = 4429; // too many pages are open, or this one asked too much: the line comes back where somebody looks at it
const SLOW_MS = 30_000;
const HEADERS = { "content-type": "application/json", accept: "application/json" };

export class Link {
  /** `hear(message)` for each message, `change()` when the line opens or breaks, `gone()` when the right has ended. */
  constructor(path, { hear, change, gone }) {
    Object.assign(this, { path, hear, change, gone });
    this.last = 0;
    this.tries = 0;
    this.waiting = new Map();
    this.isClosed = false;
    this.isPolling = false;
    this.isShut = false; // the house takes no new pages at the moment: its database does not answer
    this.wake = () => this.isUp || document.hidden || this.connect();
    this.hereAt = -HERE_MS;
    this.beat = setInterval(() => this.here(), HERE_MS);
    addEventListener("online", this.wake);
    document.addEventListener("visibilitychange", this.wake);
    this.connect();
  }

  get isUp() {
    return this.socket?.readyState === 1;
  }

  connect() {
    if (this.isClosed || this.socket?.readyState <= 1) return;
    clearTimeout(this.timer);
    if (!("WebSocket" in window)) {
      this.poll();
      return;
    }
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.path}`);
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.wasUp = true;
      this.isShut = false;
      this.isPolling = false;
      this.here(true);
      this.change();
    };
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = (event) => this.lost(socket, event.code);
  }

  lost(socket, code) {
    if (socket !== this.socket || this.isClosed) return;
    for (const resolve of this.waiting.values()) resolve({ outcome: "unknown" });
    this.waiting.clear();
    if (GONE.includes(code)) {
      this.close();
      this.gone(code);
      return;
    }
    if (code === TOO_MUCH) {
      this.poll();
      this.timer = setTimeout(this.wake, SLOW_MS);
      this.change();
      return;
    }
    this.tries += 1;
    if (!this.wasUp && this.tries >= 2) this.poll();
    else if (this.tries >= 2) this.askWhy();
    const wait = WAITS_MS[Math.min(this.tries, WAITS_MS.length) - 1];
    this.timer = setTimeout(() => this.connect(), wait * (0.8 + Math.random() * 0.2));
    this.change();
  }

  /** Send one command; resolves with { outcome, code, text }. The send itself happens before this returns. */
  send(type, params = {}) {
    this.last += 1;
    const id = String(this.last);
    const text = JSON.stringify({ id, type, params });
    if (this.isUp) {
      this.socket.send(text);
      return new Promise((resolve) => {
        this.waiting.set(id, resolve);
        setTimeout(() => this.take({ type: "answer", id, outcome: "unknown" }), PATIENCE_MS);
      });
    }
    if (this.isPolling || type === "panic") return this.post(text);
    return Promise.resolve({ outcome: "refused", code: "offline", text: _("Not sent: no connection. It is being restored.") });
  }

  /** Say that the page is there; also whenever something is heard, since a page in the background has slow timers. */
  async here(isNew = false) {
    const now = performance.now();
    if (!isNew && now - this.hereAt < HERE_MS - 100) return;
    const text = JSON.stringify({ type: "here" });
    if (this.isUp) {
      this.hereAt = now;
      this.socket.send(text);
    } else if (this.isPolling) {
      this.hereAt = now;
      const said = await this.post(text);
      if (said.type === "holder") this.hear(said);
    }
  }

  take(message) {
    this.here();
    if (message.type !== "answer") {
      this.hear(message);
      return;
    }
    this.waiting.get(message.id)?.(message);
    this.waiting.delete(message.id);
  }

  async post(text) {
    try {
      const answer = await fetch(`${this.path}/commands`, { method: "POST", headers: HEADERS, body: text });
      if (!answer.ok) return { outcome: "refused", code: "http", text: (await answer.json()).detail };
      return await answer.json();
    } catch {
      return { outcome: "unknown" };
    }
  }

  /** Read the state each second, where no socket comes through. */
  async poll() {
    if (this.isPolling || this.isClosed) return;
    this.isPolling = true;
    while (this.isPolling && !this.isClosed) {
      try {
        const answer = await fetch(`${this.path}/state`, { headers: HEADERS });
        if (answer.status === 401 || answer.status === 404) {
          this.close();
          this.gone(4000 + answer.status);
          return;
        }
        this.isShut = answer.status === 503;
        if (answer.ok) for (const message of await answer.json()) this.hear(message);
      } catch {
        this.change();
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** A socket that was refused does not say why; a plain request does. */
  async askWhy() {
    if (this.isAsking) return;
    this.isAsking = true;
    const answer = await fetch(`${this.path}/state`, { headers: HEADERS }).catch(() => null);
    this.isAsking = false;
    if (!this.isUp) this.isShut = answer?.status === 503;
  }

  close() {
    this.isClosed = true;
    this.isPolling = false;
    clearTimeout(this.timer);
    clearInterval(this.beat);
    removeEventListener("online", this.wake);
    document.removeEventListener("visibilitychange", this.wake);
    this.socket?.close();
  }
}
