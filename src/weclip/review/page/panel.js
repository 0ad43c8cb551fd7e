// Tags as chips, the field that adds one, and the legend with what is painted and what is seen.
import { UNSURE } from "./paint.js";

const $ = (id) => document.getElementById(id);
const button = (text, label, className) =>
  Object.assign(document.createElement("button"), { type: "button", textContent: text, className, ariaLabel: label, title: label });

function swatch(colour) {
  const square = Object.assign(document.createElement("span"), { className: "swatch" });
  square.style.background = colour;
  return square;
}

export class Panel {
  /** `does`: toggleTag(id), addClass(name), paint(id), see(id), rename(id). */
  constructor(does) {
    this.does = does;
    this.classes = [];
    this.chips = [];
    this.rows = [];
    this.#combo();
  }

  setClasses(classes) { this.classes = classes; }
  named(id) { return id === UNSURE ? "unsure" : this.classes[id]?.name ?? `class ${id}`; }
  colour(id) { return id === UNSURE ? "#e8e8d8" : this.classes[id]?.colour ?? "#888888"; }

  /** The chips: what is tagged, was tagged or is in the mask; their order does not jump. */
  showTags(shown) {
    const wanted = new Set([...shown.given, ...shown.tags, ...shown.present, ...(shown.touched ?? [])]);
    this.chips = [...wanted].filter((id) => id > 0 && id !== UNSURE).sort((a, b) => a - b);
    $("chips").replaceChildren(...this.chips.map((id, index) => {
      const on = shown.tags.includes(id);
      const chip = button("", `${this.named(id)}, ${on ? "tagged" : "not tagged"}`, "chip");
      chip.setAttribute("aria-pressed", on);
      if (index < 9) chip.append(Object.assign(document.createElement("kbd"), { textContent: index + 1 }));
      chip.append(swatch(this.colour(id)), this.named(id));
      chip.addEventListener("click", () => this.does.toggleTag(id));
      return chip;
    }));
    if (!this.chips.length) $("chips").textContent = "no tags";
  }

  /** Background, unsure, then the classes of this image, then all others. */
  showLegend(shown, painted, hidden) {
    const here = new Set([...(shown?.tags ?? []), ...(shown?.present ?? [])]);
    const ids = this.classes.map(({ id }) => id).filter((id) => id > 0);
    const near = ids.filter((id) => here.has(id)), others = ids.filter((id) => !here.has(id));
    this.rows = [...near, 0, UNSURE, ...others];
    $("legend").replaceChildren(...this.rows.map((id) => this.#row(id, id === painted, hidden.has(id), here)));
  }

  #row(id, painted, hidden, here) {
    const row = document.createElement("div"), name = this.named(id);
    row.className = here.has(id) || id === 0 || id === UNSURE ? "class" : "class absent";
    const paint = button("", `Paint ${name}`, "paint");
    paint.setAttribute("role", "radio");
    paint.setAttribute("aria-checked", painted);
    paint.append(swatch(this.colour(id)), Object.assign(document.createElement("span"), { textContent: name }));
    paint.addEventListener("click", () => this.does.paint(id));
    row.append(paint);
    if (id > 0 && id !== UNSURE) {
      const pen = button("✎", `Rename ${name}`, "pen");
      pen.addEventListener("click", () => this.does.rename(id));
      row.append(pen);
    }
    if (id > 0) {
      const eye = button(hidden ? "◌" : "◉", `Show ${name}`, "eye");
      eye.setAttribute("aria-pressed", !hidden);
      eye.addEventListener("click", () => this.does.see(id));
      row.append(eye);
    }
    return row;
  }

  #combo() {
    const input = $("tag-input");
    input.addEventListener("input", () => this.#offer(0));
    input.addEventListener("focus", () => this.#offer(0));
    input.addEventListener("blur", () => setTimeout(() => this.#close(), 150));
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) this.#offer(this.at + step);
      else if (event.key === "Enter" && this.offers?.length) this.#take(this.offers[this.at]);
      else if (event.key === "Escape") { input.value = ""; input.blur(); $("board").focus(); }
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  #offer(at) {
    const text = $("tag-input").value.trim(), lower = text.toLowerCase();
    const known = this.classes.slice(1).filter(({ name }) => name.toLowerCase().includes(lower));
    known.sort((a, b) => b.name.toLowerCase().startsWith(lower) - a.name.toLowerCase().startsWith(lower));
    this.offers = known.slice(0, 40);
    const exact = this.classes.some(({ name }) => name.toLowerCase() === lower);
    if (text && !exact) this.offers.push({ id: null, name: text });
    this.at = this.offers.length ? (at + this.offers.length) % this.offers.length : 0;
    const box = $("tag-options");
    box.replaceChildren(...this.offers.map((offer, index) => {
      const option = document.createElement("div");
      option.id = `offer-${index}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", index === this.at);
      if (offer.id === null) option.textContent = `New class “${offer.name}”`;
      else option.append(swatch(offer.colour), offer.name);
      option.addEventListener("pointerdown", (event) => { event.preventDefault(); this.#take(offer); });
      return option;
    }));
    box.hidden = !this.offers.length;
    $("tag-input").setAttribute("aria-expanded", !box.hidden);
    $("tag-input").setAttribute("aria-activedescendant", `offer-${this.at}`);
    box.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  #take(offer) {
    $("tag-input").value = "";
    $("tag-input").blur();
    this.#close();
    $("board").focus();
    if (offer.id === null) this.does.addClass(offer.name);
    else this.does.toggleTag(offer.id);
  }

  #close() {
    $("tag-options").hidden = true;
    $("tag-input").setAttribute("aria-expanded", false);
  }
}
