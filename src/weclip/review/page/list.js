// The queue as a list of which only what is seen exists: ten thousand images are no burden.

const HEIGHT = 60, SPARE = 4;
const MARKS = { accept: "✓", reject: "✕", skip: "…" };
const WORDS = { accept: "accepted", reject: "rejected", skip: "skipped", open: "to do" };

export class QueueList {
  /** `names`: of all images; `chosen(place)`: one was clicked. */
  constructor(element, names, chosen) {
    Object.assign(this, { element, names, chosen });
    this.places = [];
    this.decisions = new Map();
    this.current = null;
    this.rows = new Map(); // place -> element
    this.space = element.appendChild(document.createElement("div"));
    this.space.className = "space";
    this.space.setAttribute("role", "presentation");
    element.addEventListener("scroll", () => this.render());
    element.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.chosen(Number(row.dataset.place));
    });
    new ResizeObserver(() => this.render()).observe(element);
  }

  setPlaces(places) {
    this.places = places;
    this.where = new Map(places.map((place, index) => [place, index]));
    this.space.style.height = `${places.length * HEIGHT}px`;
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.render();
  }

  /** Marks an image, and keeps it in sight. */
  setCurrent(place) {
    this.current = place;
    const index = this.where?.get(place), { element } = this;
    if (index !== undefined) {
      const top = index * HEIGHT;
      if (top < element.scrollTop) element.scrollTop = top - HEIGHT;
      else if (top + HEIGHT > element.scrollTop + element.clientHeight) {
        element.scrollTop = top + 2 * HEIGHT - element.clientHeight;
      }
    }
    this.render();
  }

  decide(place, decision) {
    this.decisions.set(place, decision);
    const row = this.rows.get(place);
    if (row) this.#mark(row, place);
  }

  /** The image before or after another one in the queue. */
  beside(place, step) {
    const index = this.where?.get(place);
    return index === undefined ? this.places[0] : this.places[index + step];
  }

  render() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / HEIGHT) - SPARE);
    const last = Math.min(this.places.length, Math.ceil((scrollTop + clientHeight) / HEIGHT) + SPARE);
    const seen = new Set(this.places.slice(first, last));
    for (const [place, row] of this.rows) {
      if (!seen.has(place)) { row.remove(); this.rows.delete(place); }
    }
    for (let index = first; index < last; index++) {
      const place = this.places[index];
      if (!this.rows.has(place)) this.rows.set(place, this.space.appendChild(this.#row(place, index)));
      this.rows.get(place).setAttribute("aria-selected", place === this.current);
    }
    const current = this.rows.get(this.current);
    if (current) this.element.setAttribute("aria-activedescendant", current.id);
    else this.element.removeAttribute("aria-activedescendant");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#pictures(), 80);
  }

  #row(place, index) {
    const row = document.createElement("div");
    row.className = "row";
    row.id = `row-${place}`;
    row.dataset.place = place;
    row.title = this.names[place];
    row.setAttribute("role", "option");
    row.setAttribute("aria-setsize", this.places.length);
    row.setAttribute("aria-posinset", index + 1);
    row.style.top = `${index * HEIGHT}px`;
    const picture = Object.assign(document.createElement("img"), { alt: "", draggable: false });
    const label = Object.assign(document.createElement("span"), { className: "label" });
    const name = document.createElement("bdi");
    name.textContent = this.names[place];
    label.append(name);
    row.append(picture, label, Object.assign(document.createElement("span"), { className: "mark" }));
    this.#mark(row, place);
    return row;
  }

  #mark(row, place) {
    const decision = this.decisions.get(place) ?? "open", mark = row.lastElementChild;
    mark.textContent = MARKS[decision] ?? "";
    mark.className = `mark ${decision}`;
    row.setAttribute("aria-label", `${this.names[place]}, ${WORDS[decision]}`);
  }

  /** Thumbnails of what stays in sight for a moment. */
  #pictures() {
    for (const [place, row] of this.rows) {
      const picture = row.firstElementChild;
      if (!picture.getAttribute("src")) picture.src = `/api/images/${place}/thumbnail`;
    }
  }
}
