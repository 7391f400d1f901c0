"use strict";
// What the file of some trajectories and the live viewer share: one trajectory, drawn. Whoever includes this fills `view`.
const view = {
  letters: "",
  evidence_edge_s: 0,
  reasons: {},
  // Address of a frame's picture, or null.
  picture: () => null,
  // What follows a zoom in its turn: a clip of it, where there is a server to cut one.
  after_zoom: () => null,
  // Whether verdicts are hidden from a blind reviewer.
  hides: false,
  // An element that leads to another trajectory, or a text.
  link: (id) => id,
};

// Elements are built from text nodes only, so nothing that a model wrote is parsed as HTML.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, action] of Object.entries(value)) element.addEventListener(event, action);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}
function make_svg(tag, properties, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const words = (name) => String(name).replaceAll("_", " ");
const seconds = (value) => `${Number(value).toFixed(2)} s`;
const whole = (value) => Number(value).toLocaleString("en");

const COLOURS = { kept: "good", correct: "good", rejected: "bad", wrong: "bad", failed: "warn", exhausted: "warn", unknown: "warn" };
function state(t) {
  const name = t.outcome ?? t.verdict ?? t.status;
  return [name, COLOURS[name] ?? ""];
}
const badge = (text, colour, title) => make("span", { class: `badge ${colour}`, title }, words(text));


// ---- one trajectory ----
function head(t, q) {
  const given = /^\(?([A-Za-z])\b/.exec((t.answer ?? "").trim())?.[1]?.toUpperCase();
  const options = q.options.map((option, n) => {
    const letter = view.letters[n];
    const right = letter === q.answer, chosen = letter === given;
    return make("li", { class: right ? "right" : chosen ? "chosen" : "" }, make("b", {}, `${letter}.`), ` ${option}`,
      right ? make("span", { class: "small" }, " right answer") : null, chosen ? make("span", { class: "small" }, right ? ", and the given answer" : " given answer") : null);
  });
  return make("header", {},
    make("p", { class: "badges" },
      t.outcome ? badge(t.outcome, COLOURS[t.outcome] ?? "") : null,
      t.verdict ? badge(t.verdict, COLOURS[t.verdict] ?? "", t.detail) : view.hides ? null : badge("not graded", ""),
      t.status === "answered" ? null : badge(t.status, COLOURS[t.status] ?? ""),
      t.hit === null ? null : badge(t.hit ? "evidence seen in a zoom" : "evidence missed", t.hit ? "good" : "bad"),
      t.well_formed ? null : badge("not well formed", "warn")),
    make("h2", {}, q.question),
    options.length ? make("ul", { class: "options" }, options) : null,
    make("p", {}, "Right answer: ", make("b", {}, q.answer), ". Given answer: ", make("b", {}, t.answer ?? "none"), "."),
    t.reasons.length ? make("div", { class: "reasons" }, make("p", {}, t.outcome === "failed" ? "Failed because:" : "Dropped because:"), make("ul", {}, t.reasons.map((reason) =>
      make("li", {}, make("b", {}, words(reason)), view.reasons[reason] ? `: ${view.reasons[reason]}` : "")))) : null);
}
function facts(t, q, video) {
  const pairs = [
    ["kind", t.kind], ["player", t.player], ["sample", t.sample], ["temperature", t.temperature],
    ["played", { zoom: `with at most ${t.max_zooms} zooms`, overview: "from the overview alone", blind: "blind, without frames" }[t.condition]],
    ["topic", q.topic ?? "none"], ["video", video.uri], ["frames shown", t.frames_shown],
    ["tokens", `${whole(t.input_tokens)} in, ${whole(t.output_tokens)} out`],
    ["cost", `$${t.cost_usd.toFixed(4)}`], ["best overlap (IoU)", t.best_iou === null ? "unknown" : t.best_iou.toFixed(2)],
    ["graded by", t.grader ? `${t.grader}${t.detail ? `: ${t.detail}` : ""}` : "not graded"],
    ["versions", `protocol ${t.protocol_version}, prompts ${t.prompt_version}`], ["id", t.id],
  ];
  const list = make("dl", {}, pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));
  if (t.parent_id) {
    list.append(make("div", {}, make("dt", {}, t.kind === "evidence" ? "probes" : "repairs"), make("dd", {}, view.link(t.parent_id))));
  }
  return make("details", { class: "facts" }, make("summary", {}, `${t.kind} by ${t.player}, ${whole(t.input_tokens + t.output_tokens)} tokens`), list);
}
function timeline(t, q, video) {
  const zooms = t.turns.map((turn, n) => ({ ...turn, n: n + 1 })).filter((turn) => turn.action === "zoom");
  const ends = [video.duration_s ?? 0, ...zooms.map((z) => z.end_s), ...t.overview.map((f) => f[1]), ...q.evidence.map((w) => w.end_s)];
  const end = Math.max(...ends, 1), width = 1000, lane = 20, top = 34;
  const x = (time) => (Math.min(Math.max(time, 0), end) / end) * width;
  const height = top + lane * Math.max(zooms.length, 1) + 26;
  const parts = [];
  video.shots.forEach(([from, to], n) => parts.push(make_svg("rect", { x: x(from), y: 0, width: Math.max(x(to) - x(from) - 1, 0.5), height: 20, class: n % 2 ? "shot odd" : "shot" },
    make_svg("title", {}, document.createTextNode(`shot ${n}: ${seconds(from)} to ${seconds(to)}`)))));
  if (!video.shots.length) parts.push(make_svg("rect", { x: 0, y: 0, width, height: 20, class: "shot" }));
  for (const [, time] of t.overview) parts.push(make_svg("line", { x1: x(time), x2: x(time), y1: 22, y2: 29, class: "glance" }));
  for (const w of q.evidence) parts.push(make_svg("rect", { x: x(w.start_s), y: 0, width: Math.max(x(w.end_s) - x(w.start_s), 3), height: height - 24, class: "evidence" },
    make_svg("title", {}, document.createTextNode(`evidence: ${seconds(w.start_s)} to ${seconds(w.end_s)}`))));
  zooms.forEach((zoom, n) => {
    const y = top + n * lane, left = x(zoom.start_s), right = Math.max(x(zoom.end_s), left + 4);
    parts.push(make_svg("rect", { x: left, y, width: right - left, height: 13, rx: 2, class: "zoom" },
      make_svg("title", {}, document.createTextNode(`turn ${zoom.n}: ${seconds(zoom.start_s)} to ${seconds(zoom.end_s)} at ${zoom.fps} fps`))));
    for (const [, time] of zoom.frames) parts.push(make_svg("line", { x1: x(time), x2: x(time), y1: y, y2: y + 13, class: "sample" }));
    const late = right > width * 0.85;
    parts.push(make_svg("text", { x: late ? left - 6 : right + 6, y: y + 11, "text-anchor": late ? "end" : "start" }, document.createTextNode(`turn ${zoom.n}`)));
  });
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400].find((s) => end / s <= 10) ?? end / 6;
  for (let time = 0; time <= end; time += step) {
    parts.push(make_svg("text", { x: x(time), y: height - 4, class: "axis", "text-anchor": time === 0 ? "start" : x(time) > width - 30 ? "end" : "middle" }, document.createTextNode(`${Math.round(time)} s`)));
  }
  const description = `${video.shots.length} shots; evidence ${q.evidence.length ? q.evidence.map((w) => `${seconds(w.start_s)} to ${seconds(w.end_s)}`).join(", ") : "unknown"}; ` +
    (zooms.length ? zooms.map((z) => `turn ${z.n} zooms into ${seconds(z.start_s)} to ${seconds(z.end_s)} at ${z.fps} fps`).join("; ") : "no zoom");
  return make("figure", { class: "timeline" },
    make("div", { class: "legend small", "aria-hidden": "true" }, key("shot", "shots"), key("glance", "overview frames"),
      q.evidence.length ? key("evidence", "evidence") : make("span", {}, "evidence unknown"), key("zoom", "zooms and their frames")),
    make_svg("svg", { viewBox: `0 -2 ${width} ${height + 2}`, role: "img", "aria-label": description }, ...parts));
}
const key = (name, label) => make("span", {}, make("span", { class: `key ${name}` }), ` ${label}`);
function strip(frames, q) {
  return make("ul", { class: "strip" }, frames.map(([id, time]) => {
    const evident = q.evidence.some((w) => w.start_s - view.evidence_edge_s <= time && time <= w.end_s + view.evidence_edge_s);
    const address = view.picture(id);
    const label = `frame at ${seconds(time)}${evident ? ", evidence" : ""}`;
    const picture = address
      ? make("button", { type: "button", "aria-label": `Enlarge ${label}`, on: { click: () => enlarge(address, label, id) } },
          make("img", { src: address, alt: label, loading: "lazy", decoding: "async", on: { error: (event) => event.target.parentElement.replaceWith(missing()) } }))
      : missing();
    return make("li", { class: evident ? "evident" : null }, picture, make("span", { class: "time" }, seconds(time)));
  }));
}
const missing = () => make("span", { class: "missing" }, "not stored");
function turn_item(turn, n, t, q) {
  const thought = /<think>([\s\S]*?)<\/think>/.exec(turn.reply)?.[1]?.trim();
  const act = turn.action === "zoom"
    ? make("p", { class: "act" }, make("b", {}, "Zoom"), ` ${seconds(turn.start_s)} to ${seconds(turn.end_s)} at ${turn.fps} frames per second: ${turn.frames.length} frames`)
    : turn.action === "answer" ? make("p", { class: "act" }, make("b", {}, "Answer"), ` ${turn.answer}`)
      : make("p", { class: "act fault" }, make("b", {}, `Fault: ${words(turn.fault)}`), ` ${turn.fault_text ?? ""}`);
  return make("li", { class: turn.train === false ? "masked" : null },
    make("p", { class: "who" }, make("b", {}, `Turn ${n + 1}`), ` ${turn.author} `,
      turn.train === false ? badge("not trained on", "warn", "The loss ignores this turn") : null,
      turn.well_formed || turn.action === "fault" ? null : badge("not well formed", "warn"),
      turn.as_written === null ? null : badge("not to the letter", "", "Its meaning was beyond doubt; it is played and trained on in the protocol's form"),
      turn.finish_reason && turn.finish_reason !== "stop" ? badge(`ended by ${turn.finish_reason}`, "warn") : null),
    thought ? make("blockquote", {}, thought) : make("p", { class: "small" }, "no thought"),
    act, turn.action === "zoom" ? view.after_zoom(turn, t) : null,
    turn.frames.length ? strip(turn.frames, q) : null,
    make("details", {}, make("summary", {}, "Full reply"), make("pre", {}, turn.reply)),
    turn.as_written === null ? null : make("details", {}, make("summary", {}, "As it was written"), make("pre", {}, turn.as_written)));
}
function enlarge(address, label, id) {
  const dialog = document.getElementById("large");
  dialog.querySelector("img").src = address;
  dialog.querySelector("img").alt = label;
  dialog.querySelector("p").textContent = `${label}; id ${id}`;
  dialog.showModal();
}
