// What a person sees who labels galaxies, and the keys that answer: anywidget's interface, so that
// a page and a notebook show the same. No build step and no library. All text is set as text.
import { make, draw, newId, color, percent, finite, Outbox, scaleBar, compass } from "./common.js";
import { SCORES, curve } from "./curves.js";

const AHEAD = 16; // pictures that are there before they are asked for
const BEHIND = 4; // pictures that are kept of the galaxies just answered
const STEADY = 4; // galaxies that a new order leaves in front
const STRIP = 12; // answers that are listed
const KNOWN = 500; // answers that the arrow goes back to
const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];
const UNSEEN = ["?", "X"]; // the answers to a picture that could not be read

// ---------------------------------------------------------------- pictures

/** Decoded pictures: those that are needed, and no others. */
class Pictures {
  constructor(send, arrived) {
    Object.assign(this, { send, arrived, kept: new Map(), asked: new Set(), needed: new Set() });
  }

  get(row, stretch) {
    return this.kept.get(`${row} ${stretch}`);
  }

  /** Say which are needed, [row, stretch], the most urgent first. */
  need(wanted) {
    this.needed = new Set(wanted.map(([row, stretch]) => `${row} ${stretch}`));
    for (const [name, picture] of this.kept) {
      if (!this.needed.has(name)) {
        picture.image?.close();
        this.kept.delete(name);
      }
    }
    for (const [row, stretch] of wanted) {
      const name = `${row} ${stretch}`;
      if (!this.kept.has(name) && !this.asked.has(name)) {
        this.asked.add(name);
        this.send({ type: "want", rows: [row], stretch });
      }
    }
  }

  async take({ row, stretch, mime, meta = {} }, bytes) {
    const name = `${row} ${stretch}`;
    let image = null;
    try {
      image = await createImageBitmap(new Blob([bytes], { type: mime }));
    } catch {
      meta = { ...meta, problem: meta.problem ?? "This picture could not be shown." };
    }
    this.asked.delete(name);
    if (!this.needed.has(name) || this.kept.has(name)) return image?.close();
    this.kept.set(name, { image, meta });
    this.arrived(row);
  }

  /** Nothing that was asked for will come: the connection was lost. */
  forget() {
    this.asked.clear();
  }

  clear() {
    this.forget();
    this.need([]);
  }
}

// ---------------------------------------------------------------- the list of galaxies

/** Galaxies to come and galaxies answered. `at` is a place to come, or -1, -2, ... among the answered. */
class Course {
  constructor() {
    Object.assign(this, { queue: [], done: [], at: 0 });
  }

  get visit() {
    return this.at < 0 ? this.done.at(this.at) : this.queue[this.at];
  }

  move(step) {
    const at = this.at + step;
    if (at < -this.done.length || (step > 0 && at >= Math.min(this.queue.length, AHEAD))) return false;
    this.at = at;
    return true;
  }

  /** Take the answer to the galaxy that is looked at; it may correct an earlier one. */
  answer(entry) {
    if (this.at < 0) {
      entry.before = this.done.splice(this.done.length + this.at, 1)[0];
      this.at = 0;
    } else {
      this.queue.splice(this.at, 1);
      if (this.at >= this.queue.length) this.at = 0;
    }
    this.done.push(entry);
    if (this.done.length > KNOWN) this.done.shift();
  }

  /** Take the last answer back; what it corrected stands again. */
  undo() {
    const entry = this.done.pop();
    if (entry?.before) {
      this.done.push(entry.before);
      this.at = -1;
    } else if (entry) {
      this.at = Math.max(this.at, 0);
      this.queue.splice(this.at, 0, { row: entry.row, name: entry.name });
    }
    return entry;
  }

  /**
   * Take a new order, as it was before what is on its way: rows answered, and rows taken back.
   * What is looked at, and what comes next, stays.
   */
  merge(queue, away, back) {
    const rest = queue.filter(({ row }) => !away.includes(row));
    const steady = Math.max(STEADY, this.at + 1 + back.length);
    const near = this.queue.slice(0, steady).filter((item, place) => {
      const found = takeOut(rest, (each) => each.row === item.row);
      return found || place === Math.max(this.at, 0) || back.includes(item.row);
    });
    this.queue = [...near, ...rest];
  }

  nearby() {
    const { at, queue, done } = this;
    const ahead = at < 0 ? [...done.slice(at), ...queue] : queue.slice(at);
    const behind = at < 0 ? done.slice(0, at) : [...done, ...queue.slice(0, at)];
    return [...ahead.slice(0, AHEAD + 1), ...behind.slice(-BEHIND).reverse()];
  }
}

function takeOut(list, matches) {
  const place = list.findIndex(matches);
  if (place >= 0) list.splice(place, 1);
  return place >= 0;
}

// ---------------------------------------------------------------- words

/** A label that others contradict. */
const suspect = ({ question, label, P }) =>
  `${question.replaceAll("_", " ")}: you said "${label}". By the other labels, that is ` +
  `${P < 0.005 ? "less than 1%" : percent(P)} likely.`;

/** How often two answers to a galaxy were the same, a line per question. */
function agreements(scores) {
  const known = scores.filter(({ n }) => n > 0);
  return known.filter(({ question }) => question !== "key" || known.length > 2)
    .map(({ question, n, agree, kappa, kappa_low, kappa_high }) => {
      const interval = finite(kappa_low, kappa_high) && kappa_low < kappa_high
        ? ` (${kappa_low.toFixed(2)} to ${kappa_high.toFixed(2)})` : "";
      return `${question === "key" ? "all at once" : question.replaceAll("_", " ")}: ` +
        `${Math.round(agree * n)} of ${n} the same` +
        (finite(kappa) ? `, kappa ${kappa.toFixed(2)}${interval}` : "");
    });
}

// ---------------------------------------------------------------- the view

class View {
  constructor(model, root) {
    Object.assign(this, { model, root, keys: [], total: 0, typed: "", session: null,
      score: "accuracy", stretch: "linear", zoom: 0, invert: false, pan: [0, 0], shownAt: 0,
      drawn: null, times: [],
      connected: true, ready: false, count: 0, works: [] });
    const send = (message) => model.send(message);
    this.course = new Course();
    this.outbox = new Outbox(send);
    this.pictures = new Pictures(send, (row) => row === this.course.visit?.row && this.show());
    this.commands = {
      z: () => this.undo(), l: () => this.setStretch(), i: () => this.setInvert(),
      h: () => this.help.showModal(), "+": () => this.setZoom(this.zoom + 1),
      "=": () => this.setZoom(this.zoom + 1), "-": () => this.setZoom(this.zoom - 1),
      0: () => this.setZoom(0), arrowleft: () => this.move(-1), arrowright: () => this.move(1),
    };
    this.build();
  }

  // ------------------------------------------------------------ elements

  build() {
    const button = (text, key, title, command, extra = "") => make("button",
      { type: "button", class: `am-tool ${extra}`, title: key ? `${title} (${key})` : title,
        "aria-label": title, on: { click: command } }, make("span", { text }), ...(key
        ? [make("kbd", { text: key, "aria-hidden": "true" })] : []));
    this.title = make("h1", { text: "Label galaxies" });
    this.bar = make("div", { class: "am-bar", role: "progressbar", "aria-label": "Labeled",
      "aria-valuemin": "0" }, (this.fill = make("div", { class: "am-fill" })));
    this.counted = make("span", { class: "am-count" });
    this.pace = make("span", { class: "am-quiet am-pace" });
    this.canvas = make("canvas", { class: "am-sky", role: "img" });
    this.scale = make("div", { class: "am-scale", "aria-hidden": "true" });
    this.north = draw("svg", { class: "am-north", viewBox: "-36 -36 72 72", "aria-hidden": "true" });
    this.cover = make("div", { class: "am-cover", hidden: "" });
    this.typing = make("output", { class: "am-typed", hidden: "", "aria-label": "Typed number" });
    this.caption = make("figcaption", { class: "am-name" });
    this.stretchButton = button("Asinh", "L", "Linear or asinh stretch", this.commands.l);
    this.invertButton = button("Invert", "I", "Invert the picture", this.commands.i);
    this.hint = make("p", { class: "am-hint", hidden: "" });
    this.answers = make("div", { class: "am-answers", role: "group", "aria-label": "Answers" });
    this.strip = make("ol", { class: "am-strip", "aria-label": "Last answers" });
    this.scoring = make("div", { class: "am-scores", role: "group", "aria-label": "Score" },
      ...SCORES.map((score) => make("button", { type: "button", class: "am-tool", text: score,
        on: { click: () => this.setScore(score) } })));
    this.lessons = make("div", { class: "am-lessons" });
    this.learning = make("section", { class: "am-learning", "aria-label": "What it has learned",
      hidden: "" }, make("h2", { text: "How good it is now" }), this.scoring, this.lessons);
    this.list = make("section", { class: "am-list", hidden: "" });
    this.note = make("p", { class: "am-note", role: "status", hidden: "" });
    this.live = make("p", { class: "am-live", "aria-live": "polite" });
    this.help = this.buildHelp();
    const send = (type) => () => {
      this.list.hidden = true; // what was learned is below it
      this.model.send({ type });
    };
    this.teachButton = button("Teach", "", "Train the whole network with your labels; it takes minutes", send("teach"));
    this.suspectsButton = button("Second look", "", "Labels that contradict the others",
      send("suspects"));
    this.compareButton = button("Agreement", "", "How often you, or others, gave the same answer again", send("compare"));
    this.saveButton = button("Save", "", "Save the labels and the classifier", send("save"));
    for (const each of [this.teachButton, this.suspectsButton, this.compareButton]) each.hidden = true;
    this.root.append(
      make("header", { class: "am-top" }, this.title,
        make("div", { class: "am-progress" }, this.bar, this.counted, this.pace),
        make("div", { class: "am-tools" }, this.compareButton, this.suspectsButton, this.teachButton,
          this.saveButton,
          button("Help", "H", "Help and keys", this.commands.h))),
      make("figure", { class: "am-stage" },
        make("div", { class: "am-frame" }, this.canvas, this.scale, this.north, this.cover,
          this.typing), this.caption),
      make("div", { class: "am-view" },
        button("←", "", "Back to the galaxy before", this.commands.arrowleft),
        button("→", "", "On to the next galaxy", this.commands.arrowright),
        button("−", "", "Zoom out", this.commands["-"]),
        button("+", "", "Zoom in", this.commands["+"]), this.stretchButton, this.invertButton,
        button("Undo", "Z", "Take the last answer back", this.commands.z, "am-undo")),
      make("div", { class: "am-side" }, this.hint, this.answers, this.list, this.learning), this.strip,
      make("p", { class: "am-focus", text: "Click here to label with the keys", "aria-hidden": "true" }),
      this.note, this.live, this.help);
    this.listen();
  }

  buildHelp() {
    this.keyList = make("dl", { class: "am-keys" });
    const close = make("button", { type: "button", class: "am-tool", text: "Back to the galaxies" });
    this.learnHelp = make("p", { class: "am-quiet", hidden: "", text: "The classifier learns again " +
      "after every 25 answers, and asks next for the galaxies that teach it most. Teach trains the " +
      "whole network, which takes minutes. Save writes the labels and the classifier. Second look " +
      "lists labels that contradict the others." });
    const dialog = make("dialog", { class: "am-help", "aria-label": "Help and keys" },
      make("h2", { text: "Keys" }), this.keyList,
      make("p", { class: "am-quiet", text: "Each answer is written to disk at once. " +
        "Answers given while the connection is lost are kept and written later." }),
      this.learnHelp, close);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.root.focus());
    return dialog;
  }

  listen() {
    this.root.addEventListener("keydown", (event) => this.press(event));
    this.root.addEventListener("click", (event) => {
      if (!this.help.open && event.detail > 0) this.root.focus({ preventScroll: true });
    });
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (Math.abs(event.deltaY) > 3) this.setZoom(this.zoom - Math.sign(event.deltaY));
    }, { passive: false });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!(event.buttons & 1) || this.zoom === 0) return;
      this.pan = [this.pan[0] + event.movementX, this.pan[1] + event.movementY];
      this.paint();
    });
    this.sizes = new ResizeObserver(() => {
      this.root.classList.toggle("am-narrow", this.root.clientWidth < 760);
      this.measure();
      this.paint();
    });
    this.measure();
    this.sizes.observe(this.root);
    this.sizes.observe(this.canvas.parentElement);
  }

  // ------------------------------------------------------------ keys

  /** All keys without Ctrl, Alt or Meta end here: none reaches what is around. */
  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    event.stopPropagation();
    if (this.help.open || event.key === "Tab") return;
    if (["Enter", " "].includes(event.key) && event.target.closest?.("button")) return;
    const key = this.read(event);
    const command = key.length > 1 || !this.isAnswer(key) ? this.commands[key.toLowerCase()] : null;
    if (this.type(key) || this.isAnswer(key) || command) event.preventDefault();
    else return;
    if (event.repeat && !["+", "=", "-"].includes(key)) return;
    if (this.isAnswer(key)) this.answer({ key });
    else if (!this.numeric(key)) command?.();
  }

  /** The key as it is called here: the letter of the place where the layout is of other letters. */
  read(event) {
    const { key, code = "" } = event;
    if (key === "/" && !this.isAnswer("/")) return "?";
    if (key.length > 1 || key.charCodeAt(0) < 128) return key.length > 1 ? key : key.toUpperCase();
    return /^Key[A-Z]$/.test(code) ? code.slice(3) : key;
  }

  isAnswer(key) {
    return this.keys.some((each) => each.key === key);
  }

  numeric(key) {
    return Boolean(this.number) && (/^[0-9.,-]$/.test(key) || ["Enter", "Backspace"].includes(key));
  }

  /** Part of a number that is typed. */
  type(key) {
    if (!this.numeric(key)) return false;
    if (key === "Enter") {
      if (isFinite(parseFloat(this.typed))) this.answer({ value: parseFloat(this.typed) });
      return true;
    }
    this.typed = key === "Backspace" ? this.typed.slice(0, -1) : (this.typed + key).replace(",", ".");
    this.showTyped();
    return true;
  }

  setScore(score) {
    this.score = score;
    this.showLearned();
    this.live.textContent = `Curves of the ${score}`;
  }

  showTyped() {
    this.typing.hidden = !this.number;
    this.typing.textContent = this.typed ? `${this.typed} ${this.number?.unit ?? ""}` : "type a number";
  }

  // ------------------------------------------------------------ answers

  answer(given) {
    const { visit } = this.course;
    const picture = visit && this.pictures.get(visit.row, this.drawn?.stretch);
    if (!visit || !picture || this.drawn?.row !== visit.row) {
      return this.say(visit ? "The picture is still on its way." : "There is no galaxy to label.");
    }
    if (picture.meta.problem && !UNSEEN.includes(given.key)) {
      return this.say("This picture could not be read: press X or ?");
    }
    const ms = Math.round(performance.now() - this.shownAt);
    const message = { type: "answer", id: newId(), row: visit.row, ...given, ms, shown: {
      stretch: this.drawn.stretch, zoom: ZOOMS[this.zoom], invert: this.invert } };
    const entry = { id: message.id, row: visit.row, name: visit.name, ...given };
    const words = this.words(entry);
    this.course.answer(entry);
    const counts = this.counts(entry);
    this.count += counts;
    this.show();
    this.outbox.add(message, counts);
    this.flash(given.key);
    this.later(() => {
      if (entry.before) this.unlist(entry.before.id);
      this.enlist(entry, picture.image);
      this.time(ms);
      this.live.textContent = `${words}. ${this.visible()}`;
    });
  }

  /** Do what is around the picture once that is on the screen, in the order of the keys. */
  later(work) {
    this.works.push(work);
    if (this.works.length === 1) requestAnimationFrame(() => setTimeout(() => this.catchUp()));
  }

  catchUp() {
    for (const work of this.works.splice(0)) work();
  }

  undo() {
    this.catchUp();
    const entry = this.course.undo();
    if (!entry) return this.say("There is no answer to take back.");
    this.unlist(entry.id);
    if (entry.before) this.enlist(entry.before, this.pictures.get(entry.row, this.stretch)?.image);
    const counts = -this.counts(entry);
    this.count += counts;
    this.show();
    this.outbox.add({ type: "undo", id: newId(), of: entry.id, row: entry.row }, counts);
    this.live.textContent = `Taken back: ${this.words(entry)}. ${this.visible()}`;
  }

  /** A correction, or a galaxy that comes a second time, is not one more. */
  counts({ before, row }) {
    return before || row >= this.total ? 0 : 1;
  }

  move(step) {
    if (!this.course.move(step)) return this.say(step < 0 ? "This is the first." : "This is the last.");
    this.show();
    const { visit, at } = this.course;
    if (visit) this.live.textContent = at < 0 ? `${this.visible()} Answered: ${this.words(visit)}.`
      : this.visible();
  }

  words({ key, value }) {
    return value != null ? `${value}` : this.keys.find((each) => each.key === key)?.title ?? key;
  }

  visible() {
    return this.course.visit ? `Galaxy ${this.course.visit.name}.` : "All galaxies are labeled.";
  }

  time(ms) {
    this.times = [...this.times, ms].slice(-20);
    const median = [...this.times].sort((a, b) => a - b)[this.times.length >> 1];
    this.pace.textContent = this.times.length > 4 ? `${(median / 1000).toFixed(1)} s per galaxy` : "";
  }

  flash(key) {
    const button = [...this.answers.children].find((each) => each.dataset.key === key);
    if (!button) return;
    button.classList.add("am-pressed");
    setTimeout(() => button.classList.remove("am-pressed"), 180);
  }

  // ------------------------------------------------------------ the picture

  setStretch() {
    this.stretch = this.stretch === "linear" ? "asinh" : "linear";
    this.show();
    this.live.textContent = `${this.stretch} stretch`;
  }

  setInvert() {
    this.invert = !this.invert;
    this.show();
    this.live.textContent = this.invert ? "inverted" : "not inverted";
  }

  setZoom(place) {
    this.zoom = Math.min(Math.max(place, 0), ZOOMS.length - 1);
    this.pan = this.zoom ? this.pan : [0, 0];
    this.paint();
    this.live.textContent = `zoom ${ZOOMS[this.zoom]}`;
  }

  /** Show the galaxy that is looked at, at once where its picture is there. */
  show() {
    const { visit, at } = this.course;
    const changed = this.drawn?.row !== visit?.row || this.drawn?.at !== at;
    if (changed) Object.assign(this, { pan: [0, 0], typed: "" });
    const picture = visit && this.pictures.get(visit.row, this.stretch);
    if (picture) {
      if (this.drawn?.row !== visit.row) this.shownAt = performance.now();
      this.drawn = { row: visit.row, at, stretch: this.stretch, picture };
    } else if (changed || !visit) {
      this.drawn = null;
    }
    this.paint();
    this.showState();
    // Pictures of later galaxies can wait until this one is on the screen.
    if (this.drawn) this.later(() => this.needPictures());
    else this.needPictures();
  }

  needPictures() {
    const near = this.course.nearby();
    const other = this.stretch === "linear" ? "asinh" : "linear";
    const drawn = this.drawn ? [[this.drawn.row, this.drawn.stretch]] : [];
    this.pictures.need([...near.map(({ row }) => [row, this.stretch]), ...drawn,
      ...near.slice(0, 2).map(({ row }) => [row, other])]);
  }

  /** The size of the picture: asked for when it changes, for it makes the browser lay out all. */
  measure() {
    const { width, height } = this.canvas.parentElement.getBoundingClientRect();
    this.sharp = window.devicePixelRatio || 1;
    this.size = Math.max(1, Math.round(Math.min(width, height) * this.sharp));
  }

  paint() {
    const { drawn, canvas, size, sharp } = this;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const context = canvas.getContext("2d", { alpha: false });
    context.fillStyle = "black";
    context.fillRect(0, 0, size, size);
    const image = drawn?.picture.image;
    this.root.dataset.row = drawn ? drawn.row : "";
    canvas.classList.toggle("am-inverted", this.invert && Boolean(image));
    this.scale.hidden = true;
    this.north.replaceChildren();
    if (!image) return;
    const factor = (size / Math.max(image.width, image.height)) * ZOOMS[this.zoom];
    const [width, height] = [image.width * factor, image.height * factor];
    context.imageSmoothingQuality = "high";
    context.drawImage(image, (size - width) / 2 + this.pan[0] * sharp,
      (size - height) / 2 + this.pan[1] * sharp, width, height);
    this.mark(drawn.picture.meta, factor / sharp);
  }

  mark(meta, scale) {
    const bar = meta.problem ? null : scaleBar(meta, scale);
    this.scale.hidden = !bar;
    if (bar) {
      this.scale.style.width = `${bar.width}px`;
      this.scale.textContent = bar.text;
    }
    this.north.replaceChildren(...((!meta.problem && compass(meta)) || []));
  }

  // ------------------------------------------------------------ what is around it

  showState() {
    const { visit, at } = this.course;
    const problem = this.drawn?.picture.meta.problem;
    const answered = at < 0 ? ` · answered: ${this.words(visit)}` : at > 0 ? ` · ${at} skipped` : "";
    this.caption.textContent = visit ? `${visit.name}${answered}` : "";
    this.canvas.setAttribute("aria-label", visit ? `Galaxy ${visit.name}` : "No galaxy");
    const cover = !this.ready ? ["Opening the list …"] : !visit && this.outbox.waiting.length
      ? ["Writing the last answers …"] : !visit
      ? ["All galaxies are labeled.", "Z takes the last answer back, ← looks at it again."]
      : problem ? ["This picture could not be read.", problem, "Press X (no galaxy) or ? to go on."]
      : !this.drawn ? [this.connected ? "The picture is on its way …" : "Waiting for the connection …"]
      : [];
    this.cover.hidden = !cover.length;
    this.cover.classList.toggle("am-bad", Boolean(problem));
    this.cover.replaceChildren(...cover.map((text, k) => make(k ? "p" : "strong", { text })));
    this.showTyped();
    this.stretchButton.setAttribute("aria-pressed", this.stretch === "asinh");
    this.invertButton.setAttribute("aria-pressed", this.invert);
    for (const button of this.answers.children) {
      const chosen = at < 0 && button.dataset.key === visit?.key;
      button.setAttribute("aria-pressed", chosen);
      button.disabled = Boolean(problem) && !UNSEEN.includes(button.dataset.key);
    }
    const done = Math.max(0, this.count);
    this.counted.textContent = `${done} of ${this.total}`;
    this.bar.setAttribute("aria-valuenow", done);
    this.bar.setAttribute("aria-valuemax", this.total);
    this.fill.style.width = `${this.total ? Math.min(100, (100 * done) / this.total) : 0}%`;
  }

  showKeys() {
    this.answers.replaceChildren(...this.keys.map(({ key, title }) => make("button",
      { type: "button", class: `am-answer ${color(this.keys, key)}`, "data-key": key,
        "aria-label": `${title}, key ${key}`, on: { click: () => this.answer({ key }) } },
      make("kbd", { text: key, "aria-hidden": "true" }), make("span", { text: title }))));
    const all = [...this.keys.map(({ key, title }) => [key, title]),
      ...(this.number ? [["0–9 Enter", this.number.title ?? "a number"]] : []),
      ["Z", "take the last answer back"], ["← →", "back, and on without an answer"],
      ["+ − 0", "zoom in, out, off"], ["L", "linear or asinh stretch"], ["I", "invert"], ["H", "help"]];
    this.keyList.replaceChildren(...all.map(([key, title]) => make("div", {},
      make("dt", {}, ...key.split(" ").map((text) => make("kbd", { text }))),
      make("dd", { text: title }))));
  }

  enlist(entry, image) {
    const { key, value, name, id } = entry;
    const thumbnail = make("canvas", { width: "56", height: "56", "aria-hidden": "true" });
    const isThere = image?.width > 0; // no longer, when keys come faster than pictures
    if (isThere) {
      const factor = 56 / Math.max(image.width, image.height);
      const [width, height] = [image.width * factor, image.height * factor];
      thumbnail.getContext("2d").drawImage(image, (56 - width) / 2, (56 - height) / 2, width, height);
    }
    const look = () => {
      const place = this.course.done.findIndex((each) => each.id === id);
      if (place < 0) return;
      this.course.at = place - this.course.done.length;
      this.show();
    };
    this.strip.prepend(make("li", { "data-id": id },
      make("button", { type: "button", class: color(this.keys, key), title: `${name}: ${this.words(entry)}`,
        "aria-label": `${this.words(entry)}, ${name}: look again`, on: { click: look } },
      isThere ? thumbnail : make("span", { class: "am-word", text: this.words(entry) }),
      make("kbd", { text: value ?? key, "aria-hidden": "true" }))));
    while (this.strip.children.length > STRIP) this.strip.lastElementChild.remove();
  }

  unlist(id) {
    [...this.strip.children].find((each) => each.dataset.id === id)?.remove();
  }

  say(text, bad = false) {
    this.note.textContent = text;
    this.note.hidden = !text;
    this.note.classList.toggle("am-bad", bad);
    clearTimeout(this.quiet);
    if (text && !bad) this.quiet = setTimeout(() => this.say(""), 4000 + 50 * text.length);
  }

  // ------------------------------------------------------------ what comes from Python

  receive(message, buffers = []) {
    const handler = this[`on_${message?.type}`];
    if (!handler) return;
    // A picture that is about to be on the screen goes first.
    if (this.works.length) this.later(() => handler.call(this, message, buffers));
    else handler.call(this, message, buffers);
  }

  on_connection({ open, final }) {
    this.connected = open;
    if (open) this.say("");
    else {
      this.pictures.forget();
      const waiting = this.outbox.waiting.length;
      const kept = waiting ? ` Answers not yet written: ${waiting}; they are kept here.` : "";
      this.say((final ?? "Connection lost. Trying again … If astromorph has ended, run the same " +
        "command again.") + kept, true);
    }
    if (open) this.model.send({ type: "ready" });
    this.root.classList.toggle("am-lost", !open);
    this.showState();
  }

  on_state(message) {
    const session = message.session ?? `${message.title} ${message.labeler} ${message.total}`;
    if (this.session !== session) {
      this.session = session;
      this.course = new Course();
      this.strip.replaceChildren();
      this.pictures.clear();
      this.outbox.waiting = [];
      this.outbox.open(session);
    }
    Object.assign(this, { keys: message.keys, total: message.total, number: message.number ?? null,
      ready: true });
    this.title.textContent = message.title;
    this.hint.textContent = message.hint ?? "";
    this.hint.hidden = !message.hint;
    this.showKeys();
    this.recover(message);
    const { can = {} } = message;
    this.teachButton.hidden = !can.teach;
    this.learnHelp.hidden = !can.teach;
    this.saveButton.hidden = !can.save;
    this.suspectsButton.hidden = !can.suspects;
    this.compareButton.hidden = !can.compare;
    this.take(message);
    this.on_learning(message.learning);
    this.outbox.resend();
  }

  /** What is answered: as Python has it, then what is on its way. */
  recover({ done }) {
    this.catchUp();
    const names = new Map(this.course.done.map((each) => [each.row, each.name]));
    const undone = new Set(this.outbox.waiting.map((each) => each.of));
    const rows = new Map(done.filter((each) => !undone.has(each.id)).map((each) => [each.row, each]));
    for (const { id, row, key, value, name } of this.outbox.answers()) {
      rows.delete(row);
      rows.set(row, { id, row, key, value, name: names.get(row) ?? name ?? `galaxy ${row + 1}` });
    }
    this.course.done = [...rows.values()].slice(-KNOWN);
    this.course.at = Math.max(this.course.at, -this.course.done.length);
    const listed = new Set([...this.strip.children].map((each) => each.dataset.id));
    for (const entry of this.course.done.slice(-STRIP)) {
      if (!listed.has(entry.id)) this.enlist(entry, null);
    }
  }

  take({ queue, progress }) {
    if (queue) {
      const rows = (list) => list.map((each) => each.row);
      this.course.merge(queue, rows(this.outbox.answers()), rows(this.outbox.undos()));
    }
    if (progress) {
      this.total = progress.total;
      this.count = progress.answered + this.outbox.count();
    }
    this.show();
  }

  on_written(message) {
    this.outbox.acknowledge(message.id);
    if (this.connected && this.note.classList.contains("am-bad")) this.say("");
    this.take(message);
  }

  on_undone(message) {
    this.on_written(message);
  }

  on_picture(message, [bytes]) {
    this.pictures.take(message, bytes);
  }

  on_learning(learning) {
    if (!learning) return;
    this.learned = learning;
    this.learning.hidden = false;
    this.showLearned();
  }

  showLearned() {
    const { details = [], error, message, status } = this.learned;
    this.scoring.hidden = !details.some((each) => each.kind === "yes_no");
    for (const button of this.scoring.children) {
      button.setAttribute("aria-pressed", button.textContent === this.score);
    }
    const doing = message || (status === "learning" ? "Learning …" : "");
    this.lessons.replaceChildren(
      ...(doing ? [make("p", { class: error ? "am-failed" : "am-quiet", text: doing })] : []),
      ...details.map((each) => curve(each, this.score)));
  }

  on_saved({ path, folder }) {
    const ready = this.learned?.taught?.labels === this.count;
    const then = !folder ? "" : ready ? ` Your classifier is in ${folder}.`
      : ` Your classifier is being trained, for ${folder}.`;
    this.say(`Saved: ${path}.${then}`);
  }

  on_queue(message) {
    this.course.queue = [];
    this.course.at = 0;
    this.take(message);
  }

  on_suspects({ rows }) {
    const message = rows.length ? "These labels contradict the others. Click on one to answer again."
      : "No label contradicts the others.";
    this.showList("Second look", [message], rows, suspect);
  }

  on_compared({ own = [], others = [] }) {
    const mine = agreements(own);
    const lines = [mine.length ? "Galaxies that came to you twice:" : "No galaxy came to you twice yet.",
      ...mine, ...others.flatMap(({ labeler, agreement }) =>
        [`With ${labeler}:`, ...agreements(agreement)])];
    this.showList("Agreement", lines, others.flatMap(({ labeler, disagreements }) =>
      disagreements.map((each) => ({ ...each, labeler }))),
      ({ first, second, labeler }) => `you: ${first} · ${labeler}: ${second}`);
  }

  showList(title, messages, items, describe) {
    const close = make("button", { type: "button", class: "am-tool", text: "Close",
      on: { click: () => (this.list.hidden = true) } });
    const go = ({ row, id }) => () => {
      const place = this.course.done.findIndex((each) => (id ? each.id === id : each.row === row));
      if (place < 0) return this.model.send({ type: "go", row });
      this.course.at = place - this.course.done.length;
      this.show();
    };
    this.list.hidden = false;
    this.list.replaceChildren(make("h2", { text: title }), ...messages.map((text) => make("p", { text })),
      make("ol", {}, ...items.map((item) => make("li", {}, make("button",
        { type: "button", class: "am-item", on: { click: go(item) } },
        make("b", { text: item.name }), make("span", { class: "am-quiet", text: describe(item) }))))),
      close);
  }

  /** What could not be written is sent again after a while; what is refused is asked anew. */
  on_error({ message, id, refused }) {
    this.say(message, true);
    clearTimeout(this.again);
    if (id && !refused) this.again = setTimeout(() => this.outbox.resend(), 3000);
    if (!id || !refused) return;
    this.outbox.acknowledge(id);
    this.model.send({ type: "ready" });
  }

  close() {
    this.sizes.disconnect();
    clearTimeout(this.quiet);
    clearTimeout(this.again);
    this.pictures.clear();
  }
}

function render({ model, el }) {
  const root = make("div", { class: "am-root", tabindex: "0", role: "application",
    "aria-label": "Label galaxies", "data-lm-suppress-shortcuts": "true", "data-row": "" });
  el.append(root);
  const view = new View(model, root);
  const receive = (message, buffers) => view.receive(message, buffers);
  model.on("msg:custom", receive);
  view.showState();
  model.send({ type: "ready" });
  root.focus({ preventScroll: true });
  return () => {
    model.off("msg:custom", receive);
    view.close();
  };
}

export default { render };
