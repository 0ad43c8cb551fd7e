// Everything is saved at once and in turn. One mask may wait: the next save takes the newest.
import { Gone, Stale, send } from "./api.js";

const PAUSE = 1500; // milliseconds until a server that is gone is tried again

export class Saver {
  /** `told(state)`: saved, waiting or lost. `stale(shown, now)`: a newer state is there. */
  constructor(told, stale, refused) {
    Object.assign(this, { told, stale, refused });
    this.chain = Promise.resolve();
    this.waiting = 0;
  }

  get busy() { return this.waiting > 0; }

  mask(shown) {
    if (shown.maskWaits) return shown.maskWaits;
    shown.maskWaits = this.#then(shown, () => {
      shown.maskWaits = null;
      return send("PUT", `/api/images/${shown.place}/mask`, shown.ids, shown.version);
    });
    return shown.maskWaits;
  }

  tags(shown, tags) {
    return this.#then(shown, () =>
      send("PUT", `/api/images/${shown.place}/tags`, { tags }, shown.version));
  }

  decide(shown, decision) {
    return this.#then(shown, () =>
      send("POST", `/api/images/${shown.place}/decision`, { decision }, shown.version));
  }

  /** True once it is saved; false where it is not, which has been told. */
  #then(shown, save) {
    this.waiting += 1;
    this.told("waiting");
    const done = this.chain.then(() => this.#untilAnswered(shown, save));
    this.chain = done.catch(() => false);
    return done;
  }

  async #untilAnswered(shown, save) {
    try {
      if (shown.outdated) return false;
      for (;;) {
        try {
          Object.assign(shown, await save());
          return true;
        } catch (error) {
          if (!(error instanceof Gone)) throw error;
          this.told("lost");
          await new Promise((go) => setTimeout(go, PAUSE));
        }
      }
    } catch (error) {
      shown.maskWaits = null;
      if (error instanceof Stale) {
        shown.outdated = true; // what waits behind it knew the same older state
        this.stale(shown, error.now);
      } else this.refused(error);
      return false;
    } finally {
      this.waiting -= 1;
      if (!this.waiting) this.told("saved");
    }
  }
}
