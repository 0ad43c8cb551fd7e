// What the tools do to the ids of a mask: pure functions on arrays of width x height.

export const UNSURE = 255;

/** Sets a pixel unless another class than `inside` (null: any) is there. */
function put(ids, at, id, inside) {
  if (inside === null || ids[at] === inside) ids[at] = id;
}

export function grown(rect, x0, y0, x1, y1) {
  return rect
    ? [Math.min(rect[0], x0), Math.min(rect[1], y0), Math.max(rect[2], x1), Math.max(rect[3], y1)]
    : [x0, y0, x1, y1];
}

/** Cuts a box of corners, the second one excluded, to the mask. */
export function cut([x0, y0, x1, y1], { width, height }) {
  return [Math.max(0, x0), Math.max(0, y0), Math.min(width, x1), Math.min(height, y1)];
}

/** A stroke of a round brush from one point to another; the box that it may have changed. */
export function stroke(mask, from, to, radius, id, inside) {
  const box = cut([
    Math.floor(Math.min(from.x, to.x) - radius), Math.floor(Math.min(from.y, to.y) - radius),
    Math.ceil(Math.max(from.x, to.x) + radius) + 1, Math.ceil(Math.max(from.y, to.y) + radius) + 1,
  ], mask);
  const dx = to.x - from.x, dy = to.y - from.y, length = dx * dx + dy * dy;
  const most = Math.max(radius, 0.5) ** 2;
  for (let y = box[1]; y < box[3]; y++) {
    for (let x = box[0]; x < box[2]; x++) {
      const px = x + 0.5 - from.x, py = y + 0.5 - from.y;
      const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
      const ex = px - t * dx, ey = py - t * dy;
      const hit = radius < 1 ? Math.abs(ex) <= 0.5 && Math.abs(ey) <= 0.5 : ex * ex + ey * ey <= most;
      if (hit) put(mask.ids, y * mask.width + x, id, inside);
    }
  }
  return box;
}

/** The inside of a polygon by the even-odd rule at the middle of pixels. */
export function polygon(mask, points, id, inside) {
  const ys = points.map((p) => p.y);
  const [top, bottom] = [Math.max(0, Math.floor(Math.min(...ys))), Math.min(mask.height, Math.ceil(Math.max(...ys)))];
  let box = null;
  for (let y = top; y < bottom; y++) {
    const crossings = [];
    points.forEach((a, index) => {
      const b = points[(index + 1) % points.length], middle = y + 0.5;
      if ((a.y <= middle) !== (b.y <= middle)) {
        crossings.push(a.x + ((middle - a.y) / (b.y - a.y)) * (b.x - a.x));
      }
    });
    crossings.sort((a, b) => a - b);
    for (let k = 0; k + 1 < crossings.length; k += 2) {
      const x0 = Math.max(0, Math.ceil(crossings[k] - 0.5));
      const x1 = Math.min(mask.width, Math.ceil(crossings[k + 1] - 0.5));
      for (let x = x0; x < x1; x++) put(mask.ids, y * mask.width + x, id, inside);
      if (x1 > x0) box = grown(box, x0, y, x1, y + 1);
    }
  }
  return box;
}

/** Fills the region round a point whose colours are like its own; `pixels` are RGBA. */
export function flood(mask, pixels, point, tolerance, id, inside) {
  const { width, height } = mask;
  const x = Math.floor(point.x), y = Math.floor(point.y);
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  const first = y * width + x;
  const [r, g, b] = [pixels[4 * first], pixels[4 * first + 1], pixels[4 * first + 2]];
  const most = 3 * tolerance * tolerance;
  const seen = new Uint8Array(width * height);
  const like = (at) => {
    const dr = pixels[4 * at] - r, dg = pixels[4 * at + 1] - g, db = pixels[4 * at + 2] - b;
    return dr * dr + dg * dg + db * db <= most && (inside === null || mask.ids[at] === inside);
  };
  if (!like(first)) return null;
  const stack = [first];
  seen[first] = 1;
  let box = null;
  const found = [];
  while (stack.length) {
    const at = stack.pop(), ax = at % width;
    found.push(at);
    box = grown(box, ax, (at - ax) / width, ax + 1, (at - ax) / width + 1);
    const near = [ax > 0 ? at - 1 : -1, ax < width - 1 ? at + 1 : -1, at - width, at + width];
    for (const next of near) {
      if (next >= 0 && next < seen.length && !seen[next]) {
        seen[next] = 1;
        if (like(next)) stack.push(next);
      }
    }
  }
  for (const at of found) mask.ids[at] = id;
  return box;
}

/** A copy of the ids in a box. */
export function crop(ids, width, [x0, y0, x1, y1]) {
  const part = new Uint8Array((x1 - x0) * (y1 - y0));
  for (let y = y0; y < y1; y++) part.set(ids.subarray(y * width + x0, y * width + x1), (y - y0) * (x1 - x0));
  return part;
}

export function paste(ids, width, [x0, y0, x1, y1], part) {
  for (let y = y0; y < y1; y++) {
    const row = part.subarray((y - y0) * (x1 - x0), (y - y0 + 1) * (x1 - x0));
    ids.set(row, y * width + x0);
  }
}

/** Steps of one image that can be taken back: {undo, redo}. */
export class Steps {
  constructor(most = 200) { this.most = most; this.done = []; this.undone = []; }
  add(step) {
    this.done.push(step);
    if (this.done.length > this.most) this.done.shift();
    this.undone = [];
  }
  undo() { return this.#move(this.done, this.undone, "undo"); }
  redo() { return this.#move(this.undone, this.done, "redo"); }
  #move(from, to, what) {
    const step = from.pop();
    if (!step) return false;
    to.push(step);
    step[what]();
    return true;
  }
}
