// The page starts here: controls and keys are joined to what they do.
import { get } from "./api.js";
import { keyTable, listen, showKeys } from "./keys.js";
import { QueueList } from "./list.js";
import {
  check, chooseTool, paint, setInside, setOpacity, setSize, showHeat, solo, within,
} from "./look.js";
import {
  $, beside, board, decide, fillQueue, here, join, madeMask, move, open, panel, rename, saver,
  setClasses, start, toast, toggleTag, tools,
} from "./review.js";
import { TOOLS } from "./tools.js";
import { Watch } from "./watch.js";

const does = {
  enter: () => {
    const closed = board.points.length > 0;
    if (closed && !tools.closePolygon()) toast("A polygon needs three corners.");
    else if (!closed) decide("accept");
  },
  reject: () => decide("reject"), skip: () => decide("skip"), reopen: () => decide("open"),
  next: () => beside(1), previous: () => beside(-1), list: () => $("list").focus(),
  tag: (index) => { if (panel.chips[index]) toggleTag(panel.chips[index]); },
  addTag: () => $("tag-input").focus(), rename: () => rename(),
  tool: (key) => chooseTool(TOOLS.find((each) => each.key === key).name),
  paintRow: (index) => paint(panel.rows[index]),
  paintBeside: (step) => paint(panel.rows[panel.rows.indexOf(tools.id) + step]),
  pick: () => { const at = board.cross ?? board.pointer, id = at && board.idAt(at); if (at && id !== null) paint(id); },
  size: (factor) => setSize(factor > 1 ? Math.ceil($("size").value * factor) : Math.floor($("size").value * factor)),
  within,
  cross: ({ key, shiftKey }) => {
    if (!board.shown) return;
    const far = shiftKey ? 10 : 1;
    board.moveCross(...{ ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[key]);
  },
  undo: () => move("undo"), redo: () => move("redo"), made: madeMask,
  zoom: (factor) => board.zoomBy(factor), fit: () => board.shown && board.fit(),
  opacity: (step) => setOpacity(Number($("opacity").value) + step),
  outlines: () => check("outlines", "outlines"), mask: () => check("show-mask", "mask"), solo,
  cam: () => showHeat("cam"), confidence: () => showHeat("confidence"),
  help: () => $("help").showModal(),
};

/** What other tabs did, and the numbers. */
function news({ counts, images, classesVersion }) {
  const { accept, reject, skip } = counts, done = accept + reject;
  $("counts").textContent = `${accept} accepted · ${reject} rejected · ${skip} skipped of ${start.count.toLocaleString()}`;
  $("progress").max = start.count;
  $("progress").value = done;
  for (const [place, [decision]] of Object.entries(images)) list.decide(Number(place), decision);
  const { shown } = board, now = shown && images[shown.place];
  if (now && now[1] > shown.version && !saver.busy && !tools.stroke) {
    toast("Changed in another tab: this is the newer state.");
    open(shown.place);
  }
  if (classesVersion > start.classesVersion) get("/api/start").then(setClasses);
}

function joinControls() {
  for (const { name, key, sign, word } of TOOLS) {
    const button = Object.assign(document.createElement("button"), { type: "button", title: `${word}: ${key.toUpperCase()}` });
    button.dataset.tool = name;
    button.setAttribute("role", "radio");
    button.setAttribute("aria-label", word);
    button.append(sign, Object.assign(document.createElement("span"), { className: "word", textContent: ` ${word}` }));
    button.addEventListener("click", () => chooseTool(name));
    $("tools").append(button);
  }
  const clicks = {
    undo: does.undo, redo: does.redo, fit: does.fit, previous: does.previous, next: does.next,
    reject: does.reject, skip: does.skip, accept: () => decide("accept"), cam: does.cam,
    confidence: does.confidence, "open-help": does.help,
  };
  for (const [id, call] of Object.entries(clicks)) $(id).addEventListener("click", () => call());
  $("outlines").addEventListener("change", does.outlines);
  $("show-mask").addEventListener("change", does.mask);
  $("opacity").addEventListener("input", () => setOpacity($("opacity").value));
  $("size").addEventListener("input", () => setSize($("size").value));
  $("tolerance").addEventListener("input", () => { tools.tolerance = Number($("tolerance").value); });
  $("inside").addEventListener("change", () => setInside($("inside").value === "" ? null : Number($("inside").value)));
  $("order").addEventListener("change", () => fillQueue(false));
  $("only-class").addEventListener("change", () => fillQueue(false));
  $("to-do").addEventListener("change", () => fillQueue());
  $("list").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) beside(step);
    else if (event.key === "Enter") $("board").focus();
    else return;
    event.preventDefault();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    board.points = [];
    board.cross = null;
    board.draw();
    if (!document.querySelector("dialog[open]")) $("board").focus();
  });
  addEventListener("click", (event) => { // a click by hand leaves the keys to the picture
    if (event.detail > 0 && event.target.closest?.("button") && !document.querySelector("dialog[open]")) $("board").focus();
  });
  for (const choice of document.querySelectorAll("select, input[type=range], input[type=checkbox]")) {
    choice.addEventListener("change", () => $("board").focus());
  }
  addEventListener("beforeunload", (event) => { if (saver.busy) event.preventDefault(); });
}

let list;
async function begin() {
  try {
    Object.assign(start, await get("/api/start"));
  } catch (error) {
    $("message").hidden = false;
    $("message").textContent = error.message;
    return;
  }
  $("title").textContent = start.title;
  list = new QueueList($("list"), start.names, open);
  const watch = new Watch(news);
  join(list, watch);
  setClasses(start);
  for (const [value, text] of Object.entries(start.orders)) {
    const option = new Option(text, value);
    option.disabled = value in start.missingOrders;
    if (option.disabled) option.text += ` (${start.missingOrders[value]})`;
    $("order").append(option);
  }
  joinControls();
  const table = keyTable(does);
  showKeys($("help-keys"), table);
  listen(table, tools);
  setSize(16);
  chooseTool("brush");
  $("board").focus();
  await watch.now();
  await fillQueue(false);
  document.body.dataset.ready = "yes";
}
begin();
