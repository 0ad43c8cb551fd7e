// The table of keys, and the sheet that shows it.

/** `does`: what each key calls, by name. Groups of [keys as shown, what they do, test, call]. */
export function keyTable(does) {
  const plain = (key) => (event) => !event.ctrlKey && !event.metaKey && !event.altKey && event.key.toLowerCase() === key && !event.shiftKey;
  const shifted = (key) => (event) => !event.ctrlKey && !event.metaKey && event.shiftKey && event.key.toLowerCase() === key;
  const sign = (...keys) => (event) => !event.ctrlKey && !event.metaKey && keys.includes(event.key);
  const ctrl = (key, shift = false) => (event) => (event.ctrlKey || event.metaKey) && event.shiftKey === shift && event.key.toLowerCase() === key;
  const digit = (event) => /^Digit[1-9]$/.test(event.code) && !event.ctrlKey && !event.metaKey && !event.altKey;
  return [
    ["Decide", [
      ["Enter", "accept: mask and tags are true", sign("Enter"), does.enter],
      ["R", "reject: leave it out of training", plain("r"), does.reject],
      ["S", "skip: say nothing", plain("s"), does.skip],
      ["X", "open again what was decided", plain("x"), does.reopen],
      ["N, P", "next, previous image", plain("n"), does.next],
      [null, null, plain("p"), does.previous],
      ["L", "to the list (↑ ↓ Enter)", plain("l"), does.list],
    ]],
    ["Tags", [
      ["1 – 9", "switch a tag on or off", (e) => digit(e) && !e.shiftKey, (e) => does.tag(Number(e.code[5]) - 1)],
      ["T", "add a tag, or a new class", plain("t"), does.addTag],
      ["Shift+T", "rename the class that is painted", shifted("t"), does.rename],
    ]],
    ["Draw", [
      ["B, E, G, F, H", "brush, eraser, polygon, region, move", sign(..."begfhBEGFH"), (e) => does.tool(e.key.toLowerCase())],
      ["Shift+1 – 9", "paint the n-th class of the legend", (e) => digit(e) && e.shiftKey, (e) => does.paintRow(Number(e.code[5]) - 1)],
      ["Comma, Period", "paint the class before, after", sign(","), () => does.paintBeside(-1)],
      [null, null, sign("."), () => does.paintBeside(1)],
      ["C", "paint the class at the pointer", plain("c"), does.pick],
      ["[ ]", "smaller, larger brush", sign("["), () => does.size(1 / 1.25)],
      [null, null, sign("]"), () => does.size(1.25)],
      ["W", "only inside the class at the pointer; again: anywhere", plain("w"), does.within],
      ["← ↑ → ↓", "move the cross (Shift: ten pixels)", sign("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"), does.cross],
      ["Space", "put the tool down at the cross; held: drag moves", null, null],
      ["Enter", "close the polygon (Esc drops it)", null, null],
      ["U, Ctrl+Z", "undo", (e) => plain("u")(e) || ctrl("z")(e), does.undo],
      ["Shift+U, Ctrl+Y", "redo", (e) => shifted("u")(e) || ctrl("y")(e) || ctrl("z", true)(e), does.redo],
      ["Shift+M", "back to the mask as it was made", shifted("m"), does.made],
    ]],
    ["Look", [
      ["+ −", "zoom (or the wheel)", sign("+", "="), () => does.zoom(1.25)],
      [null, null, sign("-"), () => does.zoom(0.8)],
      ["0", "fit the image", sign("0"), does.fit],
      ["A, Z", "mask more, less opaque", plain("z"), () => does.opacity(-10)],
      [null, null, plain("a"), () => does.opacity(10)],
      ["O", "outlines", plain("o"), does.outlines],
      ["V", "mask", plain("v"), does.mask],
      ["Shift+V", "show only the class that is painted; again: all", shifted("v"), does.solo],
      ["M", "CAM of the class that is painted", plain("m"), does.cam],
      ["D", "confidence: where it is doubtful", plain("d"), does.confidence],
      ["?", "this sheet", sign("?"), does.help],
    ]],
  ];
}

export function showKeys(element, table) {
  element.replaceChildren(...table.map(([title, rows]) => {
    const section = document.createElement("section"), list = document.createElement("dl");
    section.append(Object.assign(document.createElement("h2"), { textContent: title }), list);
    for (const [keys, text] of rows) {
      if (!keys) continue;
      const term = document.createElement("dt");
      for (const key of keys.split(", ")) term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
      list.append(term, Object.assign(document.createElement("dd"), { textContent: text }));
    }
    return section;
  }));
}

const TYPED = "input[type=text], select, textarea";

/** Listens to the keys of a table; a control that has the focus keeps its own. */
export function listen(table, tools) {
  const rows = table.flatMap(([, each]) => each).filter(([, , test]) => test);
  let spaced = false;
  addEventListener("keydown", (event) => {
    const { target } = event, own = target.closest?.(TYPED) || document.querySelector("dialog[open]");
    if (own || (target.closest?.("button, input, #list") && ["Enter", " ", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(event.key))) return;
    if (event.key === " ") {
      event.preventDefault();
      if (!event.repeat) { spaced = tools.held = true; tools.panned = false; }
      return;
    }
    const row = rows.find(([, , test]) => test(event));
    if (!row || (event.repeat && ["Enter", "r", "s"].includes(event.key))) return;
    event.preventDefault();
    row[3](event);
  });
  addEventListener("keyup", (event) => {
    if (event.key !== " " || !spaced) return;
    spaced = tools.held = false;
    if (!tools.panned) tools.atCross();
  });
}
