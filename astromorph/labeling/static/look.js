// A gallery of a classified table: only what is visible exists, pictures come when they are needed.
// anywidget's interface, so that a page and a notebook show the same. All text is set as text.
import { make, draw, newId, color, percent, finite, Outbox, scaleBar, compass } from "./common.js";
import { Grid, decode } from "./grid.js";

const AT_ONCE = 16; // pictures that are asked for at a time
const KEPT = 1200; // pictures that are kept, as JPEG
const SIZES = [84, 112, 144, 200, 280];
const [FLAGGED, FAILED, CHOSEN] = [1, 2, 4];
const FLAG_TITLES = { none: "no flag", any: "any flag", unclassified: "not classified" };

const number = (value) => (Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3)
  ? value.toExponential(2) : `${+value.toPrecision(4)}`);
const many = (count) => count.toLocaleString("en");

// ---------------------------------------------------------------- pictures

/** Pictures as JPEG: those needed now are asked for, a few at a time, and the last ones are kept. */
class Pictures {
  constructor(send, arrived) {
    Object.assign(this, { send, arrived, kept: new Map(), asked: new Map(), wanted: new Map() });
  }

  get(row, size, stretch) {
    const name = `${row} ${size} ${stretch}`;
    const picture = this.kept.get(name);
    if (picture) {
      this.kept.delete(name); // it is the latest again
      this.kept.set(name, picture);
    }
    return picture;
  }

  /** Say which are needed, [row, size, stretch], the most urgent first; no others will come. */
  need(list) {
    this.wanted = new Map(list.map((each) => [each.join(" "), each]));
    const ids = [...this.asked].filter(([, name]) => !this.wanted.has(name)).map(([id]) => id);
    if (ids.length) this.send({ type: "drop", ids });
    for (const id of ids) this.asked.delete(id);
    this.ask();
  }

  ask() {
    const asked = new Set(this.asked.values());
    for (const [name, [row, size, stretch]] of this.wanted) {
      if (this.asked.size >= AT_ONCE) return;
      if (this.kept.has(name) || asked.has(name)) continue;
      const id = newId();
      this.asked.set(id, name);
      this.send({ type: "want", id, row, size, stretch });
    }
  }

  take({ id, row, size, stretch, mime, meta }, bytes) {
    this.asked.delete(id);
    this.kept.set(`${row} ${size} ${stretch}`, { meta, file: new Blob([bytes], { type: mime }) });
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(oldest);
    }
    this.ask();
    this.arrived(row, size);
  }

  /** Nothing that was asked for will come: the connection was lost. */
  forget() {
    this.asked.clear();
  }
}

// ---------------------------------------------------------------- the gallery

class Gallery {
  constructor(model, root) {
    Object.assign(this, { model, root, id: `am${newId().slice(0, 8)}`, keys: [], columns: [],
      states: new Uint8Array(0), chosen: 0, anchor: 0, labels: new Map(), names: new Map(), total: 0,
      ranges: [], like: null, n: 0, shownAt: 0, stretch: "linear", connected: true, can: {} });
    const send = (message) => model.send(message);
    this.outbox = new Outbox(send);
    this.pictures = new Pictures(send, (row, size) => this.arrived(row, size));
    this.build();
  }

  send(type, content = {}) {
    this.model.send({ type, ...content });
  }

  // ------------------------------------------------------------ elements

  build() {
    const tool = (text, title, command, key) => make("button", { type: "button", class: "am-tool",
      title: key ? `${title} (${key})` : title, "aria-label": title, on: { click: command } },
      make("span", { text }));
    const choose = (label, change) => make("select", { class: "am-field", "aria-label": label,
      on: { change } });
    const limit = (label) => make("input", { class: "am-field am-limit", type: "number", step: "any",
      "aria-label": label, placeholder: label, on: { change: () => this.ask() } });
    this.grid = new Grid(this);
    this.title = make("h1", { text: "Galaxies" });
    this.counted = make("span", { class: "am-count", role: "status" });
    this.selected = make("span", { class: "am-quiet", role: "status" });
    this.sort = choose("Sort by", () => this.ask());
    this.turn = tool("↑", "Largest first", () => this.setTurn(), "");
    this.turn.setAttribute("aria-pressed", "false");
    this.flag = choose("Flags", () => this.ask());
    this.column = choose("Only where", () => this.ask());
    [this.low, this.high] = [limit("from"), limit("to")];
    this.more = tool("+ and", "Keep this range and add another", () => this.addRange());
    this.chips = make("div", { class: "am-chips", role: "group", "aria-label": "What is shown" });
    this.scale = make("input", { type: "range", class: "am-size", min: "0", max: SIZES.length - 1,
      value: "2", "aria-label": "Size of the pictures", on: { input: () => this.resize() } });
    this.stretchButton = tool("Asinh", "Linear or asinh stretch", () => this.setStretch(), "L");
    this.saveButton = tool("Save", "Save the selected galaxies and the corrections",
      () => this.send("save"));
    this.none = tool("Select none", "Select no galaxy", () => this.select(0, -1, true, true), "Escape");
    this.empty = make("p", { class: "am-cover", text: "Opening the table …" });
    this.note = make("p", { class: "am-note", role: "status", hidden: "" });
    this.live = make("p", { class: "am-live", "aria-live": "polite" });
    this.buildDetail(tool);
    this.buildHelp();
    this.root.append(
      make("header", { class: "am-top" }, this.title, this.counted, this.selected, this.none,
        make("div", { class: "am-tools" }, this.saveButton,
          tool("Help", "Help and keys", () => this.help.showModal(), "H"))),
      make("div", { class: "am-bench", role: "group", "aria-label": "Order and filters" },
        make("span", { class: "am-pair" }, make("span", { text: "Sort" }), this.sort, this.turn),
        make("span", { class: "am-pair" }, make("span", { text: "Flags" }), this.flag),
        make("span", { class: "am-pair" }, make("span", { text: "Where" }), this.column, this.low,
          make("span", { text: "–" }), this.high, this.more),
        make("span", { class: "am-pair am-end" }, this.stretchButton,
          make("span", { text: "Size" }), this.scale), this.chips),
      make("div", { class: "am-wall" }, this.grid.list, this.empty), this.detail, this.note, this.live,
      this.help);
    this.root.addEventListener("keydown", (event) => this.press(event));
    this.root.addEventListener("focus", () => this.grid.list.focus({ preventScroll: true }));
    this.widths = new ResizeObserver(() => {
      this.root.classList.toggle("am-narrow", this.root.clientWidth < 760);
      this.showLarge();
    });
    this.widths.observe(this.root);
  }

  buildDetail(tool) {
    this.sky = make("canvas", { class: "am-sky", role: "img", on: { click: () => this.open() } });
    this.bar = make("div", { class: "am-scale", "aria-hidden": "true" });
    this.north = draw("svg", { class: "am-north", viewBox: "-36 -36 72 72", "aria-hidden": "true" });
    this.problem = make("p", { class: "am-cover am-bad", hidden: "" });
    this.name = make("h2", { class: "am-name" });
    this.similarButton = tool("Find similar", "Find galaxies that look like this one",
      () => this.similar(), "F");
    this.openButton = tool("Larger", "Larger or smaller picture", () => this.open(), "Enter");
    this.undoButton = tool("Undo", "Take the last correction back", () => this.undo(), "Z");
    this.answers = make("div", { class: "am-facts" });
    this.flags = make("div", { class: "am-flags" });
    this.others = make("dl", { class: "am-others" });
    this.correct = make("div", { class: "am-answers", role: "group", "aria-label": "Correct the answer" });
    this.typed = make("input", { class: "am-field", type: "number", step: "any",
      on: { change: () => finite(this.typed.valueAsNumber)
        && this.answer({ value: this.typed.valueAsNumber }) } });
    this.number = make("label", { class: "am-pair", hidden: "" }, make("span"), this.typed);
    this.facts = make("div", { class: "am-told", hidden: "" }, this.name,
      make("div", { class: "am-tools" }, this.openButton, this.similarButton, this.undoButton),
      this.flags, this.answers, make("h3", { text: "Correct it" }), this.correct, this.number,
      make("h3", { text: "All columns" }), this.others);
    this.detail = make("aside", { class: "am-detail", "aria-label": "The galaxy" },
      make("div", { class: "am-frame" }, this.sky, this.bar, this.north, this.problem), this.facts);
  }

  buildHelp() {
    this.keyList = make("dl", { class: "am-keys" });
    const close = make("button", { type: "button", class: "am-tool", text: "Back to the galaxies",
      on: { click: () => this.help.close() } });
    this.help = make("dialog", { class: "am-help", "aria-label": "Help and keys",
      on: { close: () => this.grid.list.focus() } }, make("h2", { text: "Keys" }), this.keyList,
      make("p", { class: "am-quiet", text: "Click selects one galaxy, Ctrl adds or leaves out one, " +
        "Shift selects up to it. Each correction is written to disk at once." }), close);
  }

  showHelp() {
    const all = [["← → ↑ ↓", "move"], ["Shift ←", "select while moving"], ["Space", "select or not"],
      ["Ctrl A", "select all shown"], ["Esc", "select none"], ["Enter", "larger picture"],
      ["F", "find similar"], ["L", "linear or asinh stretch"], ["H", "help"],
      ...(this.can.answer ? [...this.keys.map(({ key, title }) => [key, title]), ["Z", "undo"]] : [])];
    this.keyList.replaceChildren(...all.map(([key, title]) => make("div", {},
      make("dt", {}, ...key.split(" ").map((text) => make("kbd", { text }))),
      make("dd", { text: title }))));
  }

  // ------------------------------------------------------------ keys and clicks

  /** Keys end here: none reaches what is around. */
  press(event) {
    if (event.isComposing || event.altKey || event.metaKey && event.key !== "a") return;
    const control = event.ctrlKey || event.metaKey;
    if (control && !["a", "A", "Home", "End"].includes(event.key) && !event.key.startsWith("Arrow")) return;
    event.stopPropagation();
    const { target, key } = event;
    if (this.help.open || key === "Tab" || target.matches?.("input, select")) return;
    if (["Enter", " "].includes(key) && target.closest?.("button")) return;
    if (this.move(event) || this.command(event, control)) event.preventDefault();
  }

  move({ key, shiftKey }) {
    const { at, columns, order, list, step } = this.grid;
    const page = Math.max(1, Math.floor(list.clientHeight / step)) * columns;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns,
      Home: 0, End: order.length - 1, PageUp: Math.max(at - page, at % columns),
      PageDown: Math.min(at + page, order.length - 1) }[key];
    if (to === undefined) return false;
    if (to < 0 || to >= order.length) return true;
    this.go(to);
    if (shiftKey) this.select(Math.min(this.anchor, to), Math.max(this.anchor, to), true, true);
    else this.anchor = to;
    return true;
  }

  command({ key, code = "", repeat }, control) {
    const letter = key.length === 1 && key.charCodeAt(0) > 127 && /^Key[A-Z]$/.test(code)
      ? code.slice(3) : key.length === 1 ? key.toUpperCase() : key;
    const { at, order } = this.grid;
    if (control && letter === "A") this.select(0, order.length - 1, true, true);
    else if (control) return false;
    else if (this.keys.some((each) => each.key === letter)) !repeat && this.answer({ key: letter });
    else if (letter === " ") this.toggle(at);
    else if (letter === "Enter") this.open();
    else if (letter === "Escape") this.escape();
    else if (letter === "F") this.similar();
    else if (letter === "L") this.setStretch();
    else if (letter === "H") this.help.showModal();
    else if (letter === "Z") !repeat && this.undo();
    else return false;
    return true;
  }

  click(place, { shiftKey, ctrlKey, metaKey }) {
    this.grid.list.focus({ preventScroll: true });
    this.go(place);
    if (shiftKey) {
      this.select(Math.min(this.anchor, place), Math.max(this.anchor, place), true, !ctrlKey);
    } else if (ctrlKey || metaKey) this.toggle(place);
    else {
      this.anchor = place;
      this.select(place, place, true, true);
      if (this.root.classList.contains("am-narrow")) this.open(true);
    }
  }

  escape() {
    if (this.root.classList.contains("am-open")) this.open(false);
    else if (this.like !== null) this.setLike(null);
    else this.select(0, -1, true, true);
  }

  // ------------------------------------------------------------ selection

  toggle(place) {
    if (!this.grid.order.length) return;
    this.anchor = place;
    this.select(place, place, !(this.states[this.grid.order[place]] & CHOSEN), false);
  }

  /** Select places from..to of what is shown, or leave them out; Python does the same. */
  select(from, to, on, clear) {
    const { states, grid } = this;
    if (clear) for (let row = 0; row < states.length; row++) states[row] &= ~CHOSEN;
    for (let place = from; place <= to; place++) {
      if (on) states[grid.order[place]] |= CHOSEN;
      else states[grid.order[place]] &= ~CHOSEN;
    }
    this.send("select", { view: this.n, from: Math.max(from, 0), to: Math.max(to, 0),
      on: on && to >= from, clear });
    this.dressAll();
  }

  on_selected({ count }) {
    this.chosen = count;
    this.selected.textContent = count ? `${many(count)} selected` : "";
    this.none.hidden = !count;
  }

  // ------------------------------------------------------------ what is shown, in which order

  setTurn() {
    const down = this.turn.getAttribute("aria-pressed") !== "true";
    this.turn.setAttribute("aria-pressed", down);
    this.turn.firstChild.textContent = down ? "↓" : "↑";
    this.ask();
  }

  /** The range that is typed now, if any. */
  get range() {
    const [low, high] = [this.low, this.high].map((each) => (finite(each.valueAsNumber)
      ? each.valueAsNumber : null));
    return this.column.value && (low !== null || high !== null) ? [this.column.value, low, high] : null;
  }

  addRange() {
    if (!this.range) return this.say("Choose a column and type from or to.");
    this.ranges.push(this.range);
    this.low.value = this.high.value = "";
    this.ask();
  }

  setLike(like) {
    this.like = like;
    this.ask();
  }

  similar() {
    const { row } = this.grid;
    if (row === undefined) return;
    if (!this.can.similar) {
      return this.say("These galaxies cannot be compared: the table has no column 'features' (see " +
        "astromorph embed), and no classifier was given that could look at them.", true);
    }
    this.say("Looking for similar galaxies …");
    this.setLike(row);
  }

  ask() {
    if (!this.total) return;
    this.n += 1;
    this.wall(true);
    this.send("view", { n: this.n, sort: this.sort.value || null, flag: this.flag.value || null,
      descending: this.turn.getAttribute("aria-pressed") === "true", like: this.like,
      ranges: [...this.ranges, ...(this.range ? [this.range] : [])] });
    this.showChips();
  }

  wall(waiting) {
    this.root.classList.toggle("am-waiting", waiting);
    this.grid.list.setAttribute("aria-busy", waiting);
  }

  showChips() {
    const chip = (text, close) => make("button", { type: "button", class: "am-chip",
      "aria-label": `Remove: ${text}`, on: { click: close } }, make("span", { text }),
      make("span", { text: "×", "aria-hidden": "true" }));
    const word = ([name, low, high]) => `${low === null ? "" : `${number(low)} ≤ `}${name}${
      high === null ? "" : ` ≤ ${number(high)}`}`;
    this.chips.replaceChildren(
      ...(this.like === null ? [] : [chip(`like ${this.names.get(this.like) ?? `row ${this.like}`}`,
        () => this.setLike(null))]),
      ...this.ranges.map((range, place) => chip(word(range), () => {
        this.ranges.splice(place, 1);
        this.ask();
      })));
  }

  on_view({ n, count, message }, [bytes]) {
    if (n !== this.n) return;
    const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    this.wall(false);
    this.anchor = 0;
    this.grid.set(new Uint32Array(data, 0, count), new Float32Array(data, 4 * count, count),
      this.stay ? this.grid.row : null);
    this.stay = false;
    this.anchor = this.grid.at;
    this.counted.textContent = count === this.total ? `${many(count)} galaxies`
      : `${many(count)} of ${many(this.total)} galaxies`;
    this.empty.hidden = count > 0;
    this.empty.textContent = "No galaxy is like that: widen the filters.";
    this.say(message);
    this.go(this.grid.at);
  }

  resize() {
    this.grid.least = SIZES[this.scale.value];
    this.grid.measure();
  }

  setStretch() {
    this.stretch = this.stretch === "linear" ? "asinh" : "linear";
    this.stretchButton.setAttribute("aria-pressed", this.stretch === "asinh");
    this.dressAll();
    this.need();
    this.showLarge();
  }

  // ------------------------------------------------------------ cells

  picture(row, size) {
    return this.pictures.get(row, size, this.stretch);
  }

  dressAll() {
    for (const [place, cell] of this.grid.shown) this.dress(cell, place);
    this.grid.needSoon();
  }

  /** What a cell is called, and what the galaxies are sorted by. */
  called(row, place) {
    const name = this.names.get(row) ?? `row ${row}`, value = this.grid.values[place];
    const by = this.like === null ? this.sort.value : "similarity";
    return { name, by, text: !by ? name : Number.isFinite(value) ? number(value) : "—" };
  }

  /** Say on a cell what is known of its galaxy. */
  dress(cell, place) {
    const { element, line, mark, key, row } = cell, { grid } = this;
    const state = this.states[row], label = this.labels.get(row);
    line.textContent = this.called(row, place).text;
    mark.textContent = state & FAILED ? "✕" : state & FLAGGED ? "⚑" : "";
    mark.className = state & FAILED ? "am-mark am-failed" : "am-mark";
    key.textContent = label ? label.value ?? label.key : "";
    key.className = label ? color(this.keys, label.key) : "";
    element.classList.toggle("am-at", place === grid.at);
    element.setAttribute("aria-selected", Boolean(state & CHOSEN));
    if (place === grid.at) grid.list.setAttribute("aria-activedescendant", element.id);
    grid.paint(cell);
  }

  /** The same for those who listen, once the scrolling is calm. */
  announce(cell, place) {
    const { element, row } = cell, { name, by, text } = this.called(row, place);
    const state = this.states[row], label = this.labels.get(row);
    const words = [name, by && `${by} ${text}`, state & FAILED ? "not classified"
      : state & FLAGGED ? "flagged" : "", label && `corrected: ${this.words(label)}`];
    const said = words.filter(Boolean).join(", ");
    const whole = `${place} ${this.grid.order.length} ${said}`;
    if (cell.said === whole) return;
    cell.said = whole;
    element.setAttribute("aria-label", said);
    element.setAttribute("aria-posinset", place + 1);
    element.setAttribute("aria-setsize", this.grid.order.length);
    element.title = name;
  }

  need() {
    for (const [place, cell] of this.grid.shown) this.announce(cell, place);
    const large = this.grid.row === undefined ? [] : [[this.grid.row, "large", this.stretch]];
    const small = this.grid.wanted().map((row) => [row, "small", this.stretch]);
    const sight = this.grid.last - this.grid.first + 1;
    this.pictures.need([...small.slice(0, sight), ...large, ...small.slice(sight)]);
  }

  arrived(row, size) {
    if (size === "large") return row === this.grid.row && this.showLarge();
    for (const [place, cell] of this.grid.shown) {
      if (cell.row !== row) continue;
      this.dress(cell, place);
      this.announce(cell, place);
    }
    if (row === this.grid.row) this.showLarge();
  }

  // ------------------------------------------------------------ one galaxy

  go(place) {
    const { grid } = this, before = grid.at;
    grid.at = Math.min(Math.max(place, 0), Math.max(grid.order.length - 1, 0));
    for (const each of [before, grid.at]) {
      if (!grid.shown.has(each)) continue;
      this.dress(grid.shown.get(each), each);
      this.announce(grid.shown.get(each), each);
    }
    if (!grid.order.length) {
      this.facts.hidden = true;
      return this.showLarge();
    }
    grid.reveal();
    this.shownAt = performance.now();
    this.showLarge();
    this.showLabel();
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      this.send("info", { row: grid.row });
      this.need();
    }, 30);
  }

  open(larger = !this.root.classList.contains("am-open")) {
    this.root.classList.toggle("am-open", larger);
    this.openButton.firstChild.textContent = larger ? "Smaller" : "Larger";
    this.showLarge();
  }

  async showLarge() {
    const { row } = this.grid;
    const picture = row === undefined ? null : this.picture(row, "large") ?? this.picture(row, "small");
    const problem = picture?.meta.problem;
    this.root.dataset.row = row ?? "";
    this.problem.hidden = !problem;
    this.problem.textContent = problem ?? "";
    const image = picture && !problem ? await decode(picture) : null;
    if (row === this.grid.row) this.paint(image, picture);
    image?.close();
  }

  paint(image, picture) {
    const { sky } = this, box = sky.parentElement.getBoundingClientRect();
    const sharp = window.devicePixelRatio || 1;
    const size = Math.max(1, Math.round(Math.min(box.width, box.height) * sharp));
    if (sky.width !== size) sky.width = sky.height = size;
    const context = sky.getContext("2d", { alpha: false });
    context.fillStyle = "black";
    context.fillRect(0, 0, size, size);
    this.bar.hidden = true;
    this.north.replaceChildren();
    sky.setAttribute("aria-label", `Picture of ${this.names.get(this.grid.row) ?? "the galaxy"}`);
    if (!image) return;
    const factor = size / Math.max(image.width, image.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(image, (size - image.width * factor) / 2, (size - image.height * factor) / 2,
      image.width * factor, image.height * factor);
    const scale = scaleBar(picture.meta, factor / sharp);
    this.bar.hidden = !scale;
    if (scale) {
      this.bar.style.width = `${scale.width}px`;
      this.bar.textContent = scale.text;
    }
    this.north.replaceChildren(...(compass(picture.meta) ?? []));
  }

  on_galaxy({ row, name, answers, flags, others }) {
    if (row !== this.grid.row) return;
    this.names.set(row, name);
    this.facts.hidden = false;
    this.name.textContent = name;
    this.answers.replaceChildren(...answers.map((each) => make("div", { class: "am-fact",
      title: each.about }, make("span", { text: each.name }), make("span", { class: "am-part" },
      ...(finite(each.value) && each.name.startsWith("P_") ? [this.part(each.value)] : [])),
      make("b", { text: each.text ? each.error ? `${each.text} ± ${each.error}` : each.text : "—" }))));
    this.flags.replaceChildren(...flags.map((each) => make("p",
      { class: each.failed ? "am-flag am-failed" : "am-flag" }, make("b", { text: each.name }),
      make("span", { text: ` ${each.about}` }))));
    this.others.replaceChildren(...others.map((each) => make("div", {},
      make("dt", { text: each.name }), make("dd", { text: each.text || "—" }))));
    this.showLabel();
  }

  part(value) {
    const part = make("i", { "aria-hidden": "true" });
    part.style.width = percent(Math.min(Math.max(value, 0), 1));
    return part;
  }

  // ------------------------------------------------------------ corrections

  words({ key, value }) {
    return value != null ? `${value}` : this.keys.find((each) => each.key === key)?.title ?? key;
  }

  showLabel() {
    const label = this.labels.get(this.grid.row);
    for (const button of this.correct.children) {
      button.setAttribute("aria-pressed", button.dataset.key === label?.key);
    }
    if (document.activeElement !== this.typed) this.typed.value = label?.value ?? "";
  }

  answer(given) {
    const { row } = this.grid;
    if (!this.can.answer || row === undefined) {
      return this.say(`Nothing can be corrected here: ${this.why || "there is no galaxy"}.`);
    }
    const message = { type: "answer", id: newId(), row, ...given, shown: { stretch: this.stretch },
      ms: Math.round(performance.now() - this.shownAt) };
    this.setLabel(row, given);
    this.outbox.add(message, 0);
    this.live.textContent = `Corrected: ${this.words(given)}.`;
  }

  undo() {
    if (this.can.answer) this.outbox.add({ type: "undo", id: newId() }, 0);
  }

  setLabel(row, label) {
    if (label) this.labels.set(row, label);
    else this.labels.delete(row);
    this.dressAll();
    this.showLabel();
  }

  on_written({ id, row, key, value }) {
    this.outbox.acknowledge(id);
    const later = this.outbox.waiting.some((each) => each.row === row);
    if (!later) this.setLabel(row, { key, value });
  }

  on_undone({ id, row, key, value }) {
    this.outbox.acknowledge(id);
    this.setLabel(row, key != null || value != null ? { key, value } : null);
    this.say(`Taken back: ${this.names.get(row) ?? `row ${row}`}.`);
  }

  // ------------------------------------------------------------ what comes from Python

  receive(message, buffers = []) {
    const handler = this[`on_${message?.type}`];
    handler?.call(this, message, buffers);
  }

  on_connection({ open, final }) {
    this.connected = open;
    this.pictures.forget();
    if (open) {
      this.say("");
      this.send("ready");
    } else this.say(final ?? "Connection lost. Trying again …", true);
  }

  on_look(message, [bytes]) {
    const known = this.session === message.session;
    Object.assign(this, { session: message.session, total: message.total, keys: message.keys,
      columns: message.columns, can: message.can, why: message.why,
      states: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).slice() });
    if (!known) {
      this.outbox.waiting = [];
      this.outbox.open(message.session);
    }
    this.title.textContent = message.title;
    this.saveButton.hidden = !message.can.save;
    this.labels = new Map(message.done.map((each) => [each.row, each]));
    for (const each of this.outbox.waiting) if (each.type === "answer") this.labels.set(each.row, each);
    this.on_selected({ count: this.states.reduce((sum, state) => sum + (state & CHOSEN ? 1 : 0), 0) });
    this.showChoices(message);
    this.showKeys(message);
    this.showHelp();
    this.outbox.resend();
    this.stay = known;
    this.ask();
  }

  showChoices({ columns, flags }) {
    const before = [this.sort.value, this.flag.value, this.column.value];
    const option = (value, text = value) => make("option", { value, text });
    const listed = (answer) => columns.filter((each) => each.answer === answer)
      .map((each) => option(each.name));
    const groups = () => [["Answers", true], ["Other columns", false]].map(([label, answer]) =>
      make("optgroup", { label }, ...listed(answer))).filter((each) => each.children.length);
    this.sort.replaceChildren(option("", "order of the table"), ...groups());
    this.column.replaceChildren(option("", "any column"), ...groups());
    this.flag.replaceChildren(option("", "all galaxies"), ...flags.map(({ name, count }) =>
      option(name, `${FLAG_TITLES[name] ?? name} (${many(count)})`)));
    [this.sort.value, this.flag.value, this.column.value] = before;
  }

  showKeys({ number: typed }) {
    this.correct.replaceChildren(...this.keys.map(({ key, title }) => make("button",
      { type: "button", class: `am-answer ${color(this.keys, key)}`, "data-key": key,
        "aria-label": `${title}, key ${key}`, on: { click: () => this.answer({ key }) } },
      make("kbd", { text: key, "aria-hidden": "true" }), make("span", { text: title }))));
    this.correct.hidden = this.correct.previousElementSibling.hidden = !this.can.answer;
    this.undoButton.hidden = !this.can.answer;
    this.number.hidden = !typed;
    this.number.firstChild.textContent = typed ? `${typed.title} ${typed.unit ?? ""}` : "";
  }

  on_picture(message, [bytes]) {
    this.names.set(message.row, message.name);
    this.pictures.take(message, bytes);
  }

  on_saved({ paths }) {
    this.say(paths.length ? `Saved: ${paths.join(", ")}` : "There is nothing to save yet.");
  }

  /** What could not be written is sent again after a while; what is refused is asked anew. */
  on_error({ message, id, refused }) {
    this.say(message, true);
    this.wall(false);
    if (id === `view ${this.n}`) {
      this.like = null;
      return this.ask();
    }
    const waits = this.outbox.waiting.some((each) => each.id === id);
    if (!waits) return;
    clearTimeout(this.again);
    if (!refused) this.again = setTimeout(() => this.outbox.resend(), 3000);
    else {
      this.outbox.acknowledge(id);
      this.send("ready");
    }
  }

  say(text, bad = false) {
    if (!text && this.note.classList.contains("am-bad") && this.connected && this.loud > Date.now()) return;
    this.loud = bad ? Date.now() + 1500 : 0;
    this.note.textContent = text;
    this.note.hidden = !text;
    this.note.classList.toggle("am-bad", bad);
    clearTimeout(this.quiet);
    if (text && this.connected) this.quiet = setTimeout(() => this.say(""), bad ? 8000 : 4000);
  }

  close() {
    this.grid.close();
    this.widths.disconnect();
    for (const timer of [this.quiet, this.again, this.asking]) clearTimeout(timer);
    this.pictures.need([]);
  }
}

function render({ model, el }) {
  const root = make("div", { class: "am-root am-look", tabindex: "-1", role: "region",
    "aria-label": "Gallery of galaxies", "data-lm-suppress-shortcuts": "true", "data-row": "" });
  el.append(root);
  const view = new Gallery(model, root);
  const receive = (message, buffers) => view.receive(message, buffers);
  model.on("msg:custom", receive);
  model.send({ type: "ready" });
  view.grid.list.focus({ preventScroll: true });
  return () => {
    model.off("msg:custom", receive);
    view.close();
  };
}

export default { render };
