// What the pages to label galaxies and to look at them share. A notebook gets this and a page as one
// module: see widget.py. All text is set as text.

const SVG = "http://www.w3.org/2000/svg";

// ---------------------------------------------------------------- elements

function make(tag, options = {}, ...children) {
  const { text, on = {}, ...attributes } = options;
  const element = options.svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name !== "svg" && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

const draw = (tag, attributes, ...children) => make(tag, { svg: true, ...attributes }, ...children);

const newId = () =>
  crypto.randomUUID?.() ??
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0")).join("");

const color = (keys, key) =>
  key === "?" ? "am-unsure" : key === "X" ? "am-none"
    : `am-color${Math.max(0, keys.findIndex((each) => each.key === key)) % 9}`;

const percent = (fraction) => `${Math.round(100 * fraction)}%`;
const finite = (...values) => values.every((value) => typeof value === "number" && isFinite(value));

// ---------------------------------------------------------------- what is not yet written

/** Answers and undos until they are acknowledged; they outlive the connection and a reload. */
class Outbox {
  constructor(send) {
    Object.assign(this, { send, waiting: [], place: null });
  }

  open(session) {
    this.place = `astromorph-label ${session}`;
    const known = new Set(this.waiting.map((each) => each.id));
    let earlier = [];
    try {
      earlier = JSON.parse(sessionStorage.getItem(this.place)) ?? [];
    } catch {
      // A browser that keeps nothing.
    }
    this.waiting = [...earlier.filter((each) => !known.has(each.id)), ...this.waiting];
  }

  /** `counts`: by how much it changes the number of labeled galaxies. */
  add(message, counts) {
    this.waiting.push({ ...message, counts });
    this.keep();
    this.post(message);
  }

  post({ counts, ...message }) {
    this.send(message);
  }

  count() {
    return this.waiting.reduce((sum, each) => sum + each.counts, 0);
  }

  acknowledge(id) {
    const before = this.waiting.length;
    this.waiting = this.waiting.filter((each) => each.id !== id);
    if (this.waiting.length < before) this.keep();
  }

  resend() {
    this.waiting.forEach((each) => this.post(each));
  }

  keep() {
    try {
      if (this.waiting.length) sessionStorage.setItem(this.place, JSON.stringify(this.waiting));
      else sessionStorage.removeItem(this.place);
    } catch {
      // They are kept as long as the page is open.
    }
  }

  /** Answers on their way that no undo takes back. */
  answers() {
    const undone = new Set(this.waiting.map((each) => each.of));
    return this.waiting.filter((each) => each.type === "answer" && !undone.has(each.id));
  }

  undos() {
    return this.waiting.filter((each) => each.type === "undo");
  }
}

// ---------------------------------------------------------------- scale and compass

function scaleBar(meta, scale) {
  const arcsec = meta.scale;
  if (!finite(arcsec) || arcsec <= 0) return null;
  const longest = 130;
  const most = (longest / scale) * arcsec;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].find((step) => step * power <= most) * power;
  const text = length >= 60 ? `${+(length / 60).toPrecision(3)}′` : `${+length.toPrecision(3)}″`;
  return { width: (length / arcsec) * scale, text };
}

/** North, degrees from up toward the left, and east where the picture is not mirrored. */
function compass({ north, mirrored = false }) {
  if (!finite(north)) return null;
  const arrow = (angle, name) => {
    const [dx, dy] = [-Math.sin((angle * Math.PI) / 180), -Math.cos((angle * Math.PI) / 180)];
    return [draw("line", { x1: 0, y1: 0, x2: 18 * dx, y2: 18 * dy }),
      draw("circle", { cx: 18 * dx, cy: 18 * dy, r: name === "N" ? 2.6 : 0 }),
      draw("text", { x: 28 * dx, y: 28 * dy + 4, "text-anchor": "middle", text: name })];
  };
  return [...arrow(north, "N"), ...arrow(north + (mirrored ? -90 : 90), "E")];
}

export { make, draw, newId, color, percent, finite, Outbox, scaleBar, compass };
