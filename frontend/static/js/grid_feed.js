// Other people's changes: the server says only that a day changed, the page fetches its lanes again.

const RETRY_MS = 3000;

/** An open line while the page is on show; a hidden tab keeps none, because a browser allows few per site. */
export class Feed {
  constructor(grid, note, changed) {
    this.grid = grid;
    this.note = note;
    this.changed = changed;
    this.since = Number(grid().dataset.since);
    this.source = null;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.open(); });
  }

  open() {
    if (this.source || !("EventSource" in window)) return;
    this.source = new EventSource(`/days/${this.grid().dataset.date}/changes?since=${this.since}`);
    this.source.addEventListener("change", (event) => {
      this.since = Math.max(this.since, Number(event.data));
      this.changed();
    });
    this.source.addEventListener("live", () => this.#tell(true));
    this.source.addEventListener("paused", () => this.#tell(false));
    this.source.addEventListener("error", () => {
      this.#tell(false);
      if (this.source?.readyState !== EventSource.CLOSED) return;
      this.close();
      setTimeout(() => { if (!document.hidden) this.open(); }, RETRY_MS);
    });
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  #tell(isLive) {
    this.note.textContent = isLive ? this.note.dataset.live : this.note.dataset.paused;
  }
}
