// Cells of a gallery: only those that are visible exist, whatever the number of galaxies.
import { make } from "./common.js";

const AROUND = 1; // rows of cells above and below those that are visible
const CALM = 60; // milliseconds between two requests while scrolling
const TALLEST = 6e6; // pixels that every browser can scroll
const LINES = 24; // pixels of text under a picture
const GAP = 8;

const decode = ({ file }) => createImageBitmap(file).catch(() => null);

/** Cells of what is visible, used again and again. */
class Grid {
  constructor(owner) {
    Object.assign(this, { owner, shown: new Map(), free: [], order: new Uint32Array(0),
      values: new Float32Array(0), at: 0, least: 144, size: 144, columns: 1, made: 0, first: 0, last: -1 });
    this.space = make("div", { class: "am-space", role: "presentation" });
    this.list = make("div", { class: "am-cells", role: "listbox", tabindex: "0",
      "aria-multiselectable": "true", "aria-label": "Galaxies" }, this.space);
    this.list.addEventListener("scroll", () => this.soon(), { passive: true });
    this.list.addEventListener("pointerdown", (event) => event.shiftKey && event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const cell = event.target.closest?.(".am-cell");
      if (cell) owner.click(Number(cell.dataset.place), event);
    });
    this.list.addEventListener("dblclick", (event) => event.target.closest?.(".am-cell")
      && owner.open(true));
    this.sizes = new ResizeObserver(() => this.measure());
    this.sizes.observe(this.list);
  }

  get row() {
    return this.order[this.at];
  }

  get lines() {
    return Math.ceil(this.order.length / this.columns);
  }

  /** Take a new order, and go to a row of it, or to the top. */
  set(order, values, row) {
    Object.assign(this, { order, values });
    this.at = row === null ? 0 : Math.max(0, order.indexOf(row));
    for (const place of [...this.shown.keys()]) this.release(place);
    this.measure();
    if (this.at === 0) this.list.scrollTop = 0;
    else this.reveal();
  }

  measure() {
    const width = this.list.clientWidth - GAP;
    const stays = this.order.length && this.first <= this.at && this.at <= this.last;
    this.columns = Math.max(1, Math.round(width / (this.least + GAP)));
    this.size = Math.max(40, Math.floor(width / this.columns) - GAP);
    this.step = this.size + LINES + GAP;
    this.height = this.lines * this.step + GAP;
    this.space.style.height = `${Math.min(this.height, TALLEST)}px`;
    for (const place of [...this.shown.keys()]) this.release(place);
    this.list.style.setProperty("--size", `${this.size}px`);
    if (stays) this.reveal();
    this.fill();
  }

  /** How far the first line is above the window; tables too long to scroll are scrolled faster. */
  get offset() {
    const { scrollTop, clientHeight } = this.list;
    if (this.height <= TALLEST) return scrollTop;
    return (scrollTop * (this.height - clientHeight)) / (TALLEST - clientHeight);
  }

  set offset(value) {
    const { clientHeight } = this.list;
    this.list.scrollTop = this.height <= TALLEST ? value
      : (value * (TALLEST - clientHeight)) / (this.height - clientHeight);
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.fill();
    });
  }

  /** Have a cell for each place that is visible, and for no other. */
  fill() {
    const { offset, list } = this, height = list.clientHeight;
    const top = Math.floor(offset / this.step), bottom = Math.floor((offset + height) / this.step);
    this.first = Math.max(0, top * this.columns);
    this.last = Math.min(this.order.length, (bottom + 1) * this.columns) - 1;
    const first = Math.max(0, (top - AROUND) * this.columns);
    const last = Math.min(this.order.length, (bottom + 1 + AROUND) * this.columns) - 1;
    for (const place of this.shown.keys()) if (place < first || place > last) this.release(place);
    const shift = this.height <= TALLEST ? 0 : list.scrollTop - offset;
    for (let place = first; place <= last; place++) {
      const cell = this.shown.get(place) ?? this.take(place);
      if (cell.shift !== shift) this.put(cell, place, shift);
    }
    for (const { element } of this.free) element.hidden = true;
    this.needSoon();
  }

  take(place) {
    const cell = this.free.pop() ?? this.create();
    cell.row = this.order[place];
    cell.element.dataset.place = place;
    cell.shift = null;
    this.shown.set(place, cell);
    this.owner.dress(cell, place);
    cell.element.hidden = false;
    return cell;
  }

  put(cell, place, shift) {
    const x = GAP + (place % this.columns) * (this.size + GAP);
    const y = GAP + Math.floor(place / this.columns) * this.step + shift;
    cell.element.style.transform = `translate(${x}px, ${y}px)`;
    cell.shift = shift;
  }

  release(place) {
    const cell = this.shown.get(place);
    this.shown.delete(place);
    cell.row = cell.seen = null;
    this.free.push(cell);
  }

  create() {
    const canvas = make("canvas", { width: "1", height: "1", "aria-hidden": "true" });
    const mark = make("span", { class: "am-mark", "aria-hidden": "true" });
    const key = make("kbd", { "aria-hidden": "true" });
    const words = make("span", { class: "am-words" }), line = make("span", { class: "am-under" });
    const element = make("div", { class: "am-cell", role: "option", id: `${this.owner.id}-${this.made++}` },
      make("div", { class: "am-thumb" }, canvas, words, mark, key), line);
    this.space.append(element);
    return { element, canvas, mark, key, words, line, context: canvas.getContext("bitmaprenderer") };
  }

  /** Show the picture of a cell if it is there. It is decoded beside the scrolling. */
  async paint(cell) {
    const { row } = cell, picture = this.owner.picture(row, "small");
    if (cell.seen === picture && picture) return;
    cell.seen = picture ?? null;
    cell.words.textContent = picture?.meta.problem ? "no image" : "";
    cell.element.dataset.shown = picture?.meta.problem ? row : "";
    if (!picture || picture.meta.problem) {
      if (cell.full) cell.context.transferFromImageBitmap(null);
      cell.full = false;
      return;
    }
    const image = await decode(picture);
    if (cell.row !== row || cell.seen !== picture) return image?.close();
    cell.context.transferFromImageBitmap(image);
    cell.full = true;
    cell.element.dataset.shown = row;
  }

  needSoon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.owner.need();
    }, CALM);
  }

  /** Places whose pictures are needed: those in sight, then those around. */
  wanted() {
    const rows = [], more = 2 * this.columns;
    for (let place = this.first; place <= this.last; place++) rows.push(this.order[place]);
    for (let k = 1; k <= more; k++) {
      if (this.last + k < this.order.length) rows.push(this.order[this.last + k]);
      if (this.first - k >= 0) rows.push(this.order[this.first - k]);
    }
    return rows;
  }

  reveal() {
    const y = Math.floor(this.at / this.columns) * this.step, height = this.list.clientHeight;
    const { offset } = this;
    if (y < offset) this.offset = y;
    else if (y + this.step + GAP > offset + height) this.offset = y + this.step + GAP - height;
    this.fill();
  }

  close() {
    this.sizes.disconnect();
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
  }
}

export { Grid, decode };
