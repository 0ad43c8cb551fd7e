// How the page is seen and drawn on: class, tool, size, what is shown over the picture.
import { getPicture } from "./api.js";
import { UNSURE } from "./paint.js";
import { $, board, panel, show, toast, tools } from "./review.js";

export const look = { heat: null }; // cam, confidence or null

export function paint(id) {
  if (id === undefined) return;
  tools.id = id;
  if (tools.tool === "eraser" || tools.tool === "hand") chooseTool("brush");
  if (look.heat === "cam") showHeat("cam", true);
  show();
}

export function see(id) {
  const { hidden } = board.look;
  if (!hidden.delete(id)) hidden.add(id);
  board.repaint();
  show();
}

export function solo() {
  const { look: seen } = board, others = [...panel.rows, UNSURE].filter((id) => id > 0 && id !== tools.id);
  seen.hidden = seen.hidden.size ? new Set() : new Set(others);
  board.repaint();
  show();
}

export function chooseTool(name) {
  tools.choose(name);
  document.querySelector(".of-brush").hidden = !["brush", "eraser"].includes(name);
  document.querySelector(".of-region").hidden = name !== "region";
  for (const each of $("tools").children) each.setAttribute("aria-checked", each.dataset.tool === name);
}

export function setSize(value) {
  $("size").value = Math.round(Math.min(120, Math.max(1, value)));
  board.radius = Number($("size").value) / 2;
  board.draw();
}

export function within() {
  const at = board.cross ?? board.pointer, id = at && board.idAt(at);
  setInside(tools.inside === null && id !== null && at ? id : null);
  toast(tools.inside === null ? "Paints anywhere." : `Paints only inside ${panel.named(tools.inside)}.`);
}

export function setInside(id) {
  tools.inside = id;
  $("inside").value = id ?? "";
}

export async function showHeat(what, keep = false) {
  const { shown } = board;
  if (!shown) return;
  look.heat = look.heat === what && !keep ? null : what;
  board.heat = null;
  if (look.heat) {
    const id = what === "cam" ? (tools.id > 0 && tools.id !== UNSURE ? tools.id : shown.tags[0] ?? 0) : 0;
    try {
      const found = await getPicture(`/api/images/${shown.place}/${what}/${id}`);
      if (board.shown !== shown || look.heat !== what) return;
      board.heat = found;
      toast(what === "cam" ? `CAM of ${panel.named(id)}: bright is strong.` : "Confidence: bright is sure.");
    } catch (error) {
      look.heat = null;
      toast(error.message);
    }
  }
  board.draw();
  show();
}

export function check(id, key, repaint = false) {
  $(id).checked = board.look[key] = !board.look[key];
  if (repaint) board.repaint(); else board.draw();
}

export function setOpacity(value) {
  $("opacity").value = value;
  board.look.opacity = Number($("opacity").value) / 100;
  board.draw();
}
