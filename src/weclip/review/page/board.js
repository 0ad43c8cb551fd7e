// The picture with the mask over it: zoom, pan, and what is drawn on top.
import { UNSURE, cut } from "./paint.js";

const canvasOf = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

export class Board {
  constructor(place) {
    this.place = place;
    this.canvas = place.appendChild(document.createElement("canvas"));
    this.look = { opacity: 0.5, outlines: true, mask: true, hidden: new Set() };
    this.colours = new Uint32Array(256); // of areas
    this.bright = new Uint32Array(256); // of outlines: seen on any picture
    this.cross = null; // the cross of the keyboard, in pixels of the mask
    this.pointer = null;
    this.radius = 8;
    this.ring = true;
    this.points = []; // a polygon that is being drawn
    this.heat = null;
    this.shown = null;
    this.zoom = 1;
    this.left = this.top = 0;
    this.asked = false;
    new ResizeObserver(() => { this.#resize(); }).observe(place);
  }

  /** Shows an image {width, height, ids, picture}. */
  show(shown) {
    this.shown = shown;
    this.heat = null;
    this.points = [];
    this.cross = null;
    if (shown) {
      this.fill = canvasOf(shown.width, shown.height);
      this.lines = canvasOf(shown.width, shown.height);
      this.fit();
      this.repaint();
    } else this.draw();
  }

  /** `classes`: [{id, colour}]. */
  setColours(classes) {
    const packed = (r, g, b) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    this.colours.fill(0);
    for (const { id, colour } of classes) {
      const [r, g, b] = [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
      this.colours[id] = packed(r, g, b);
      this.bright[id] = packed(...[r, g, b].map((value) => Math.min(255, 70 + value)));
    }
    this.colours[UNSURE] = this.bright[UNSURE] = 0xffd8e8e8;
  }

  /** Paints the mask again, in a box or as a whole. */
  repaint(box = null) {
    const { shown, colours } = this;
    if (!shown) return;
    const { ids, width, height } = shown;
    const [x0, y0, x1, y1] = box
      ? cut([box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1], shown) : [0, 0, width, height];
    if (x1 <= x0 || y1 <= y0) return;
    const fill = new ImageData(x1 - x0, y1 - y0), lines = new ImageData(x1 - x0, y1 - y0);
    const fills = new Uint32Array(fill.data.buffer), edges = new Uint32Array(lines.data.buffer);
    for (let y = y0, out = 0; y < y1; y++) {
      for (let x = x0; x < x1; x++, out++) {
        const at = y * width + x, id = ids[at];
        if (id === 0 || this.look.hidden.has(id)) continue;
        if (id !== UNSURE || ((x + y) & 7) < 3) fills[out] = colours[id];
        const edge = (x > 0 && ids[at - 1] !== id) || (x < width - 1 && ids[at + 1] !== id)
          || (y > 0 && ids[at - width] !== id) || (y < height - 1 && ids[at + width] !== id);
        if (edge) edges[out] = this.bright[id];
      }
    }
    this.fill.getContext("2d").putImageData(fill, x0, y0);
    this.lines.getContext("2d").putImageData(lines, x0, y0);
    this.draw();
  }

  /** The picture's pixels at the size of the mask, RGBA. */
  pixels() {
    const { shown } = this;
    if (!shown.pixels) {
      const canvas = canvasOf(shown.width, shown.height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(shown.picture, 0, 0, shown.width, shown.height);
      shown.pixels = context.getImageData(0, 0, shown.width, shown.height).data;
    }
    return shown.pixels;
  }

  fit() {
    const { clientWidth: w, clientHeight: h } = this.place;
    this.zoom = Math.max(0.01, Math.min((w - 20) / this.shown.width, (h - 20) / this.shown.height));
    this.left = (w - this.zoom * this.shown.width) / 2;
    this.top = (h - this.zoom * this.shown.height) / 2;
    this.fitted = true;
    this.draw();
  }

  /** Zooms by a factor about a point of the place. */
  zoomBy(factor, x = this.place.clientWidth / 2, y = this.place.clientHeight / 2) {
    const zoom = Math.min(64, Math.max(0.02, this.zoom * factor));
    this.left = x - ((x - this.left) * zoom) / this.zoom;
    this.top = y - ((y - this.top) * zoom) / this.zoom;
    this.zoom = zoom;
    this.fitted = false;
    this.draw();
  }

  panBy(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.fitted = false;
    this.draw();
  }

  /** A point of the place in pixels of the mask. */
  toMask(x, y) { return { x: (x - this.left) / this.zoom, y: (y - this.top) / this.zoom }; }

  idAt({ x, y }) {
    const { shown } = this, px = Math.floor(x), py = Math.floor(y);
    const inside = shown && px >= 0 && py >= 0 && px < shown.width && py < shown.height;
    return inside ? shown.ids[py * shown.width + px] : null;
  }

  moveCross(dx, dy) {
    const { shown } = this;
    const now = this.cross ?? { x: shown.width / 2, y: shown.height / 2 };
    this.cross = {
      x: Math.min(shown.width - 0.5, Math.max(0.5, Math.floor(now.x) + 0.5 + dx)),
      y: Math.min(shown.height - 0.5, Math.max(0.5, Math.floor(now.y) + 0.5 + dy)),
    };
    const x = this.left + this.zoom * this.cross.x, y = this.top + this.zoom * this.cross.y;
    const { clientWidth: w, clientHeight: h } = this.place;
    if (x < 10 || y < 10 || x > w - 10 || y > h - 10) this.panBy(w / 2 - x, h / 2 - y);
    this.draw();
  }

  draw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.#draw(); });
  }

  #resize() {
    const scale = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, this.place.clientWidth * scale);
    this.canvas.height = Math.max(1, this.place.clientHeight * scale);
    if (this.shown && this.fitted) this.fit();
    this.#draw();
  }

  #draw() {
    const context = this.canvas.getContext("2d"), scale = devicePixelRatio || 1, { shown, look } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!shown) return;
    context.setTransform(scale * this.zoom, 0, 0, scale * this.zoom, scale * this.left, scale * this.top);
    context.imageSmoothingEnabled = this.zoom < 4;
    context.drawImage(shown.picture, 0, 0, shown.width, shown.height);
    if (this.heat) {
      context.globalAlpha = 0.75;
      context.drawImage(this.heat, 0, 0, shown.width, shown.height);
    }
    context.imageSmoothingEnabled = false;
    if (look.mask) {
      context.globalAlpha = this.heat ? 0 : look.opacity;
      context.drawImage(this.fill, 0, 0);
      context.globalAlpha = 1;
      if (look.outlines) context.drawImage(this.lines, 0, 0);
    }
    context.globalAlpha = 1;
    this.#drawTool(context);
  }

  /** The polygon so far, the ring of the brush, the cross. */
  #drawTool(context) {
    const thin = 1.5 / this.zoom;
    const twice = (path) => {
      context.lineWidth = 2 * thin; context.strokeStyle = "#000"; context.stroke(path);
      context.lineWidth = thin; context.strokeStyle = "#fff"; context.stroke(path);
    };
    const at = this.cross ?? this.pointer;
    if (this.points.length) {
      const path = new Path2D();
      [...this.points, ...(at ? [at] : [])].forEach((p, k) => (k ? path.lineTo(p.x, p.y) : path.moveTo(p.x, p.y)));
      twice(path);
      for (const p of this.points) {
        const dot = new Path2D();
        dot.arc(p.x, p.y, 2 * thin, 0, 7);
        twice(dot);
      }
    }
    if (!at) return;
    const path = new Path2D();
    if (this.ring) path.arc(at.x, at.y, Math.max(this.radius, 0.5), 0, 7);
    else {
      path.moveTo(at.x - 7 * thin, at.y); path.lineTo(at.x + 7 * thin, at.y);
      path.moveTo(at.x, at.y - 7 * thin); path.lineTo(at.x, at.y + 7 * thin);
    }
    twice(path);
    if (this.cross) {
      const cross = new Path2D();
      cross.moveTo(at.x - 12 * thin, at.y); cross.lineTo(at.x + 12 * thin, at.y);
      cross.moveTo(at.x, at.y - 12 * thin); cross.lineTo(at.x, at.y + 12 * thin);
      twice(cross);
    }
  }
}
