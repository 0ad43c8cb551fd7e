// The tools at the pointer and at the cross of the keyboard; every stroke is one step.
import { crop, cut, flood, grown, paste, polygon, stroke } from "./paint.js";

export const TOOLS = [
  { name: "brush", key: "b", sign: "●", word: "Brush" },
  { name: "eraser", key: "e", sign: "⌫", word: "Eraser" },
  { name: "polygon", key: "g", sign: "⬠", word: "Polygon" },
  { name: "region", key: "f", sign: "◪", word: "Region" },
  { name: "hand", key: "h", sign: "✥", word: "Move" },
];

export class Tools {
  /** `edited(step)`: the mask of `board.shown` has changed, by a step that can be taken back. */
  constructor(board, edited) {
    Object.assign(this, { board, edited });
    this.tool = "brush";
    this.id = 0; // of the class that is painted
    this.inside = null;
    this.tolerance = 28;
    this.held = false; // Space: the pointer moves the picture
    this.stroke = null;
    const { place } = board;
    place.addEventListener("pointerdown", (event) => this.#down(event));
    place.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) place.addEventListener(name, () => this.#up());
    place.addEventListener("pointerleave", () => { board.pointer = null; board.draw(); });
    place.addEventListener("dblclick", () => this.closePolygon());
    place.addEventListener("contextmenu", (event) => event.preventDefault());
    place.addEventListener("wheel", (event) => {
      event.preventDefault();
      const at = this.#point(event);
      board.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), at.x, at.y);
    }, { passive: false });
  }

  choose(tool) {
    this.tool = tool;
    this.board.points = [];
    this.board.ring = tool === "brush" || tool === "eraser";
    this.board.place.classList.toggle("pans", tool === "hand");
    this.board.place.classList.toggle("paints", tool !== "hand");
    this.board.draw();
  }

  /** Whether there is an image, and no newer state of it on its way. */
  get usable() { return Boolean(this.board.shown) && !this.board.shown.outdated; }

  /** The tool at the cross of the keyboard. */
  atCross() {
    if (!this.usable) return;
    if (!this.board.cross) this.board.moveCross(0, 0);
    this.#begin();
    this.#apply(this.board.cross, this.board.cross);
    this.finish();
  }

  closePolygon() {
    const { points } = this.board;
    if (this.tool !== "polygon" || points.length < 3) return false;
    this.#begin();
    this.#changed(polygon(this.board.shown, points, this.id, this.inside));
    this.board.points = [];
    this.finish();
    return true;
  }

  /** Ends the stroke that is being drawn. */
  finish() {
    const { stroke: ended, board } = this;
    this.stroke = null;
    if (!ended?.box) return;
    const { shown } = board, box = cut(ended.box, shown), { width, ids } = shown;
    const before = crop(ended.before, width, box), after = crop(ids, width, box);
    if (before.every((id, k) => id === after[k])) return;
    const put = (part) => { paste(shown.ids, width, box, part); if (board.shown === shown) board.repaint(box); };
    this.edited({ shown, what: "mask", undo: () => put(before), redo: () => put(after) });
  }

  #point(event) {
    const box = this.board.place.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #down(event) {
    if (!this.usable) return;
    const at = this.#point(event);
    this.board.place.setPointerCapture(event.pointerId);
    if (event.button === 1 || event.button === 2 || this.held || this.tool === "hand") {
      this.pan = at;
      this.panned = true;
      return;
    }
    const point = this.board.toMask(at.x, at.y);
    this.board.cross = null;
    if (this.tool === "polygon") {
      this.#vertex(point);
      return;
    }
    this.#begin();
    this.last = point;
    this.#apply(point, point);
  }

  #move(event) {
    const at = this.#point(event), point = this.board.toMask(at.x, at.y);
    this.board.pointer = point;
    if (this.pan) {
      this.board.panBy(at.x - this.pan.x, at.y - this.pan.y);
      this.pan = at;
    } else if (this.stroke && this.tool !== "region") {
      this.#apply(this.last, point);
      this.last = point;
    } else {
      this.board.cross = null;
      this.board.draw();
    }
  }

  #up() {
    this.pan = null;
    this.finish();
  }

  #begin() { this.stroke = { before: this.board.shown.ids.slice(), box: null }; }

  #vertex(point) {
    const { points, zoom } = this.board, first = points[0];
    if (first && points.length > 2 && Math.hypot(first.x - point.x, first.y - point.y) * zoom < 9) {
      this.closePolygon();
    } else {
      points.push(point);
      this.board.draw();
    }
  }

  #apply(from, to) {
    const { shown, radius } = this.board, { tool, inside } = this;
    if (tool === "brush" || tool === "eraser") {
      this.#changed(stroke(shown, from, to, radius, tool === "eraser" ? 0 : this.id, inside));
    } else if (tool === "region") {
      this.#changed(flood(shown, this.board.pixels(), to, this.tolerance, this.id, inside));
    } else if (tool === "polygon") this.#vertex({ ...to });
  }

  #changed(box) {
    if (!box) return;
    if (this.stroke) this.stroke.box = grown(this.stroke.box, ...box);
    this.board.repaint(box);
  }
}
