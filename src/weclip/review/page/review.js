// Which image is shown, what is done to it, and what becomes of that.
import { Stale, get, getBytes, getPicture, send } from "./api.js";
import { Board } from "./board.js";
import { look, paint, see } from "./look.js";
import { UNSURE, Steps } from "./paint.js";
import { Panel } from "./panel.js";
import { Saver } from "./saver.js";
import { Tools } from "./tools.js";

export const $ = (id) => document.getElementById(id);
export const board = new Board($("board"));
export const tools = new Tools(board, drawn);
export const saver = new Saver(toldSaved, stale, refused);
export const panel = new Panel({ toggleTag, addClass, paint, see, rename });
export const start = {}; // what the server said first: names, classes
let list, watch, opening = 0, told;

/** Joins what is made at the start. */
export function join(queueList, watching) {
  list = queueList;
  watch = watching;
}

export function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("shown");
  clearTimeout(told);
  told = setTimeout(() => $("toast").classList.remove("shown"), 4000 + 30 * text.length);
}

function toldSaved(state) {
  $("saved").className = state === "saved" ? "" : state;
  $("saved").textContent = { saved: "all saved", waiting: "saving …", lost: "not saved: no server" }[state];
}

function refused(error) {
  toast(`Not saved: ${error.message}`);
  if (board.shown) open(board.shown.place);
}

/** Somebody else was faster: what they made is shown, and nothing of theirs is overwritten. */
function stale(shown) {
  toast("Changed in another tab meanwhile: this is the newer state, without your last change.");
  if (board.shown === shown) open(shown.place);
}

// ---- images

export async function open(place) {
  if (place === undefined) return;
  tools.finish();
  const own = ++opening;
  list.setCurrent(place);
  try {
    await (board.shown?.place === place ? saver.chain : null); // its own changes first
    const at = `/api/images/${place}`;
    const [shown, picture] = await Promise.all([get(at), getPicture(`${at}/picture`)]);
    const ids = await getBytes(`${at}/mask`);
    if (own !== opening) return;
    const steps = board.shown?.place === place && board.shown.version === shown.version ? board.shown.steps : new Steps();
    look.heat = null;
    $("message").hidden = true;
    board.show(Object.assign(shown, { picture, ids, steps, present: presentIn(ids) }));
    if (![0, UNSURE, ...shown.tags].includes(tools.id) || tools.id === 0) paint(shown.tags[0] ?? 0);
    show();
  } catch (error) {
    if (own !== opening) return;
    board.show(null);
    $("message").hidden = false;
    $("message").textContent = error.message;
    $("name").textContent = start.names[place];
    $("facts").textContent = "";
    failedAt = place;
  }
}
let failedAt = null;
export const here = () => board.shown?.place ?? failedAt;

function presentIn(ids) {
  const seen = new Uint8Array(256);
  for (let k = 0; k < ids.length; k++) seen[ids[k]] = 1;
  return [...seen.keys()].filter((id) => seen[id]);
}

const DECIDED = { accept: "accepted", reject: "rejected", skip: "skipped", open: "to do" };

/** Everything beside the picture. */
export function show() {
  const { shown } = board;
  if (!shown) return;
  panel.showTags(shown);
  panel.showLegend(shown, tools.id, board.look.hidden);
  $("name").textContent = shown.name;
  const sure = shown.confidence === null ? "" : ` · confidence ${Math.round(100 * shown.confidence)} %`;
  $("facts").textContent = `${shown.width} × ${shown.height}${sure} · ${DECIDED[shown.decision]}${shown.corrected ? ", corrected" : ""}`;
  $("doubts").replaceChildren(...shown.doubts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  $("board").dataset.version = shown.version;
  $("undo").disabled = !shown.steps.done.length;
  $("redo").disabled = !shown.steps.undone.length;
  $("cam").setAttribute("aria-pressed", look.heat === "cam");
  $("confidence").setAttribute("aria-pressed", look.heat === "confidence");
  list.decide(shown.place, shown.decision);
  document.title = `${shown.name} – weclip review`;
}

async function saved(promise, shown) {
  await promise;
  if (board.shown === shown) show();
  watch.now();
}

export async function decide(decision) {
  const { shown } = board;
  if (!tools.usable || shown.deciding) return;
  tools.finish();
  shown.deciding = true;
  const done = await saver.decide(shown, decision);
  shown.deciding = false;
  await saved(done, shown);
  if (done && decision !== "open" && board.shown === shown) beside(1, true);
}

/** The next image; with `undecided` the next that is to do. */
export function beside(step, undecided = false) {
  let place = list.beside(here(), step);
  while (undecided && place !== undefined && ["accept", "reject"].includes(list.decisions.get(place))) {
    place = list.beside(place, step);
  }
  if (place !== undefined) open(place);
  else toast(step > 0 ? "This was the last image of the queue." : "This is the first image of the queue.");
}

export async function fillQueue(keep = true) {
  const of = $("only-class").value;
  const { images } = await get(`/api/queue?order=${$("order").value}&class=${of}`);
  const decided = (place) => list.decisions.get(place) ?? "open";
  const wanted = images.filter((place) => !$("to-do").checked || place === (keep ? here() : null) || !["accept", "reject"].includes(decided(place)));
  wanted.sort((a, b) => (decided(a) === "skip") - (decided(b) === "skip"));
  list.setPlaces(wanted);
  $("queue-count").textContent = `${wanted.length.toLocaleString()} of ${start.count.toLocaleString()} images`;
  if (!keep || here() === null) {
    if (wanted.length) await open(wanted[0]);
    else { board.show(null); toast("No image in this queue: all is decided."); }
  } else list.setCurrent(here());
}

// ---- what is drawn, and tags

function drawn(step) {
  step.shown.steps.add(step);
  changed(step.shown);
}

function changed(shown) {
  shown.present = presentIn(shown.ids);
  show();
  saved(saver.mask(shown), shown);
}

export function move(what) {
  const { shown } = board;
  const list = shown?.steps[what === "undo" ? "done" : "undone"];
  if (!tools.usable || !list?.length) return toast(`Nothing to ${what}.`);
  const step = list.at(-1);
  shown.steps[what]();
  if (step.what === "mask") changed(shown);
}

function setTags(shown, tags) {
  shown.tags = tags;
  show();
  saved(saver.tags(shown, tags), shown);
}

export function toggleTag(id) {
  const { shown } = board;
  if (!tools.usable) return;
  const before = shown.tags;
  const after = before.includes(id) ? before.filter((each) => each !== id) : [...before, id].sort((a, b) => a - b);
  shown.touched = [...(shown.touched ?? []), id];
  shown.steps.add({ what: "tags", undo: () => setTags(shown, before), redo: () => setTags(shown, after) });
  setTags(shown, after);
  if (after.includes(id)) paint(id);
}

export async function madeMask() {
  const { shown } = board;
  if (!tools.usable) return;
  const before = shown.ids.slice(), after = await getBytes(`/api/images/${shown.place}/made`);
  const put = (ids) => { shown.ids.set(ids); if (board.shown === shown) board.repaint(); };
  put(after);
  drawn({ shown, what: "mask", undo: () => put(before), redo: () => put(after) });
}

async function changeClasses(method, path, name) {
  try {
    setClasses(await send(method, path, { name }, start.classesVersion));
    return true;
  } catch (error) {
    if (error instanceof Stale) { setClasses(error.now); toast("The classes were changed meanwhile; look again."); }
    else toast(`Not saved: ${error.message}`);
    return false;
  }
}

async function addClass(name) {
  if (await changeClasses("POST", "/api/classes", name)) toggleTag(start.classes.length - 1);
}

export function rename(id = tools.id) {
  if (id === 0 || id === UNSURE) return toast("Background and unsure keep their names.");
  const dialog = $("rename");
  $("new-name").value = panel.named(id);
  dialog.returnValue = "";
  dialog.onclose = () => {
    const name = $("new-name").value.trim();
    if (dialog.returnValue === "save" && name && name !== panel.named(id)) changeClasses("PUT", `/api/classes/${id}`, name);
  };
  dialog.showModal();
  $("new-name").select();
}

export function setClasses({ classes, classesVersion }) {
  Object.assign(start, { classes, classesVersion });
  panel.setClasses(classes);
  board.setColours(classes);
  const options = (element, first) => {
    const now = element.value;
    element.replaceChildren(...[...first, ...classes.map(({ id, name }) => [id, name])].map(([value, text]) => new Option(text, value)));
    if ([...element.options].some((option) => option.value === now)) element.value = now;
  };
  options($("inside"), [["", "anywhere"], [UNSURE, "unsure"]]);
  options($("only-class"), []);
  $("only-class").options[0].text = "any";
  $("only-class").options[0].value = "0";
  board.repaint();
  show();
}
