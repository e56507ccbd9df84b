// Curves of what was learned, against the number of labels.
import { make, draw, percent, finite } from "./common.js";

const SCORES = ["accuracy", "completeness", "purity"];

/** A score of a point, [value, low, high]; null where it is unknown. */
function scoreOf(point, name) {
  if (!finite(point?.[name])) return null;
  const start = ["accuracy", "rms"].includes(name) ? "" : `${name}_`;
  const limits = [point[`${start}low`], point[`${start}high`]];
  return [point[name], ...limits.map((each) => (finite(each) ? each : point[name]))];
}

/** How good one question is, against the number of labels. */
function curve({ title, kind, curve: all = [], forecast, sealed = 0, labels = 0 }, chosen) {
  const name = kind === "number" ? "rms" : kind === "yes_no" ? chosen : "accuracy";
  const show = name === "rms" ? (value) => `${+value.toPrecision(3)}` : percent;
  const points = all.filter((each) => scoreOf(each, name))
    .map((each) => ({ labels: each.labels, score: scoreOf(each, name) }));
  const quiet = (text) => make("p", { class: "am-quiet", text });
  const words = forecast ? [make("p", { class: "am-forecast", text: forecast })] : [];
  const head = (...parts) => make("figcaption", {}, make("span", { text: title }), ...parts);
  const counts = labels + sealed ? [quiet(`${labels} labels to learn from, ${sealed} to test it`)] : [];
  const last = points.at(-1);
  if (!last) {
    return make("figure", { class: "am-question" }, head(),
      ...(all.length ? [quiet(`The ${name} is unknown yet.`)] : counts), ...words);
  }
  const [value, low, high] = last.score;
  const others = SCORES.filter((each) => each !== name && scoreOf(all.at(-1), each))
    .map((each) => `${each} ${percent(all.at(-1)[each])}`).join(" · ");
  return make("figure", { class: "am-question" },
    head(...(name === "rms" ? [make("span", { text: name })] : []), make("b", { text: show(value) }),
      make("span", { class: "am-quiet", text: `${show(low)}–${show(high)}` })),
    chart(points, name, show, `${title}: ${name} ${show(value)}, between ${show(low)} and ` +
      `${show(high)}, after ${last.labels} labels`),
    ...(others ? [quiet(others)] : []), ...words);
}

/** The line of a score through its interval. */
function chart(points, name, show, words) {
  const width = 300, height = 49, [left, right, top, bottom] = [30, 8, 6, 13];
  const [line, low, high] = [0, 1, 2].map((k) => points.map((each) => each.score[k]));
  const [floor, ceiling] = name === "rms" ? [0, Math.max(...high) || 1]
    : [Math.min(0.5, Math.floor(10 * Math.min(...low)) / 10), 1];
  const most = Math.max(points.at(-1).labels, 1);
  const x = (labels) => left + ((width - left - right) * labels) / most;
  const y = (value) => top + ((height - top - bottom) * (ceiling - value)) / (ceiling - floor);
  const along = (values) => values.map((value, k) => `${x(points[k].labels)},${y(value)}`);
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "am-curve",
    "aria-label": words });
  for (const value of [floor, (floor + ceiling) / 2, ceiling]) {
    picture.append(
      draw("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "am-grid" }),
      draw("text", { x: left - 5, y: y(value) + 3.5, class: "am-tick", "text-anchor": "end",
        text: show(value) }));
  }
  picture.append(
    draw("text", { x: width - right, y: height - 2, class: "am-tick", "text-anchor": "end",
      text: `${points.at(-1).labels} labels` }),
    draw("polygon", { class: "am-band", points: [...along(high), ...along(low).reverse()].join(" ") }),
    draw("polyline", { class: "am-line", points: along(line).join(" ") }),
    draw("circle", { class: "am-dot", cx: x(most), cy: y(line.at(-1)), r: 3.5 }));
  return picture;
}

export { SCORES, curve };
