// Pictures of scenes: one request at a time, only what is new, and none in the moment after a tap, so that a command meets an idle line.

const PAUSE_AFTER_TAP_MS = 250;

export class Pictures {
  constructor(path) {
    this.path = path;
    this.shown = new Map();
    this.wanted = new Map();
    this.quietUntil = 0;
    this.isBusy = false;
  }

  /** A command has just gone out: let it pass first. */
  hush() {
    this.quietUntil = performance.now() + PAUSE_AFTER_TAP_MS;
  }

  /** Show the picture of scene `index` at `version` in an image; 0 = there is none. */
  want(image, index, version) {
    if (!version || this.shown.get(image) === `${index}?v=${version}`) return;
    this.wanted.set(image, `${index}?v=${version}`);
    this.next();
  }

  next() {
    if (this.isBusy || !this.wanted.size) return;
    const rest = this.quietUntil - performance.now();
    if (rest > 0) {
      this.isBusy = true;
      setTimeout(() => this.free(), rest);
      return;
    }
    const [image, address] = this.wanted.entries().next().value;
    this.wanted.delete(image);
    this.isBusy = true;
    const done = (isShown) => {
      this.shown.set(image, address); // also one that is gone: asked for again only at its next version
      image.hidden = !isShown;
      this.free();
    };
    image.onload = () => done(true);
    image.onerror = () => done(false);
    image.src = `${this.path}/${address}`;
  }

  free() {
    this.isBusy = false;
    this.next();
  }
}
