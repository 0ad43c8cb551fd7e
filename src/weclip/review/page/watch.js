// What other tabs have done, asked for now and then; and the numbers of what is decided.
import { get } from "./api.js";

const PAUSE = 2500; // milliseconds

export class Watch {
  /** `news({counts, images, classesVersion})`: decisions and versions of images that changed. */
  constructor(news) {
    this.news = news;
    this.sequence = 0;
    this.asking = null;
    setInterval(() => { if (!document.hidden) this.now(); }, PAUSE);
  }

  /** Asks once; a question that is under way is enough. */
  now() {
    this.asking ??= this.#ask().finally(() => { this.asking = null; });
    return this.asking;
  }

  async #ask() {
    try {
      const found = await get(`/api/progress?since=${this.sequence}`);
      if (found.sequence < this.sequence) { this.sequence = 0; return; } // another start of the server
      this.sequence = found.sequence;
      this.news(found);
    } catch { /* the next one may be answered; what is not saved is told by its own */ }
  }
}
