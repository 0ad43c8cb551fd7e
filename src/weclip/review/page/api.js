// Requests to the server of this page; what goes wrong has one of three kinds.

/** Somebody else changed it meanwhile; `now` is the newer state. */
export class Stale extends Error {
  constructor(now) { super("it was changed meanwhile"); this.now = now; }
}
/** The server cannot be reached. */
export class Gone extends Error {}
/** The server says no, in one line. */
export class Refused extends Error {
  constructor(message, status) { super(message); this.status = status; }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Gone("the server does not answer");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let said = {};
  try { said = JSON.parse(text); } catch { said.error = text.trim(); }
  if (answer.status === 412) throw new Stale(said.now);
  throw new Refused(said.error || `error ${answer.status}`, answer.status);
}

export async function get(path) { return (await ask(path)).json(); }
export async function getBytes(path) { return new Uint8Array(await (await ask(path)).arrayBuffer()); }
export async function getPicture(path) { return createImageBitmap(await (await ask(path)).blob()); }

export async function send(method, path, value, version) {
  const raw = value instanceof Uint8Array;
  const headers = {
    "If-Match": `"${version}"`,
    "Content-Type": raw ? "application/octet-stream" : "application/json",
  };
  return (await ask(path, { method, headers, body: raw ? value : JSON.stringify(value) })).json();
}
