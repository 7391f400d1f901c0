"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const by_id = new Map(data.trajectories.map((t) => [t.id, t]));
const main = document.getElementById("main");
const list = document.getElementById("list");
const players = new Set(data.trajectories.map((t) => t.player)).size;
let shown = data.trajectories;

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

// ---- filters and list ----
const FILTERS = {
  kind: (t) => [t.kind],
  player: (t) => [t.player],
  outcome: (t) => [t.outcome ?? "no rules applied"],
  verdict: (t) => [t.verdict ?? "not graded"],
  topic: (t) => [data.questions[t.question_id]?.topic ?? "no topic"],
  reason: (t) => t.reasons,
  evidence: (t) => [t.hit === null ? "unknown" : t.hit ? "seen in a zoom" : "missed"],
  condition: (t) => [t.condition],
};
const selects = {};
function build_filters() {
  const form = document.getElementById("filters");
  for (const [name, values] of Object.entries(FILTERS)) {
    const counts = new Map();
    for (const t of data.trajectories) for (const value of values(t)) counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.size < 2 && name !== "reason") continue;
    const options = [...counts].sort((a, b) => String(a[0]).localeCompare(String(b[0])));
    selects[name] = make("select", { on: { change: apply } }, make("option", { value: "" }, "any"),
      options.map(([value, count]) => make("option", { value }, `${words(value)} (${count})`)));
    form.append(make("label", {}, name, " ", selects[name]));
  }
  form.append(make("button", { type: "reset" }, "Clear"));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  document.getElementById("search").addEventListener("input", apply);
}
const searchable = new Map(data.trajectories.map((t) => {
  const q = data.questions[t.question_id] ?? {};
  const video = data.videos[t.video_id] ?? {};
  return [t.id, [t.id, t.question_id, q.question, ...(q.options ?? []), t.answer, video.uri, ...t.turns.map((turn) => turn.reply)].join("\n").toLowerCase()];
}));
function apply() {
  const text = document.getElementById("search").value.trim().toLowerCase();
  shown = data.trajectories.filter((t) =>
    Object.entries(selects).every(([name, select]) => !select.value || FILTERS[name](t).map(String).includes(select.value)) &&
    (!text || searchable.get(t.id).includes(text)));
  document.getElementById("count").textContent = shown.length === data.trajectories.length
    ? `${whole(shown.length)} trajectories` : `${whole(shown.length)} of ${whole(data.trajectories.length)} trajectories`;
  list.replaceChildren(...shown.map(list_item));
  mark_current();
}
function list_item(t) {
  return make("li", {}, make("a", { href: `#${encodeURIComponent(t.id)}`, "data-id": t.id },
    make("span", { class: "question" }, data.questions[t.question_id]?.question ?? t.question_id),
    make("span", { class: "small" }, `${t.kind}${players > 1 ? `, ${t.player}` : ""}, ${t.zooms} ${t.zooms === 1 ? "zoom" : "zooms"}`), " ", badge(state(t)[0], state(t)[1])));
}
const COLOURS = { kept: "good", correct: "good", rejected: "bad", wrong: "bad", failed: "warn", exhausted: "warn", unknown: "warn" };
function state(t) {
  const name = t.outcome ?? t.verdict ?? t.status;
  return [name, COLOURS[name] ?? ""];
}
const badge = (text, colour, title) => make("span", { class: `badge ${colour}`, title }, words(text));

// ---- one trajectory ----
function show(id) {
  const t = by_id.get(id);
  if (!t) {
    main.replaceChildren(make("p", { class: "empty" }, id
      ? `Trajectory ${id} is not on this page. To see it, run: videozoomer trajectories show ${id}`
      : data.trajectories.length ? "Choose a trajectory." : "There are no trajectories yet."));
    return;
  }
  const q = data.questions[t.question_id] ?? { question: `Question ${t.question_id} is not in table questions`, options: [], evidence: [], answer: "?" };
  const video = data.videos[t.video_id] ?? { uri: t.video_id, duration_s: null, shots: [] };
  main.replaceChildren(...[
    head(t, q), facts(t, q, video), timeline(t, q, video),
    t.overview.length
      ? make("section", { class: "overview" }, make("h3", {}, `Overview: ${t.overview.length} frames`), strip(t.overview, q))
      : make("p", { class: "small" }, "The player saw no overview: this episode was played blind."),
    make("section", {}, make("h3", {}, "Turns"), make("ol", { class: "turns" }, t.turns.map((turn, n) => turn_item(turn, n, t, q)))),
    t.status === "failed" ? make("p", { class: "fault" }, `The episode could not be finished: ${words(t.failure)}. It may be retried.`) : null,
    t.status === "exhausted" ? make("p", { class: "fault" }, "The rounds ran out without an answer.") : null,
  ].filter((part) => part !== null));
  main.scrollTop = 0;
  if (matchMedia("(max-width: 860px)").matches) main.scrollIntoView();
  document.title = `${q.question} – VideoZoomer`;
}
function head(t, q) {
  const given = /^\(?([A-Za-z])\b/.exec((t.answer ?? "").trim())?.[1]?.toUpperCase();
  const options = q.options.map((option, n) => {
    const letter = data.letters[n];
    const right = letter === q.answer, chosen = letter === given;
    return make("li", { class: right ? "right" : chosen ? "chosen" : "" }, make("b", {}, `${letter}.`), ` ${option}`,
      right ? make("span", { class: "small" }, " right answer") : null, chosen ? make("span", { class: "small" }, right ? ", and the given answer" : " given answer") : null);
  });
  return make("header", {},
    make("p", { class: "badges" },
      t.outcome ? badge(t.outcome, COLOURS[t.outcome] ?? "") : null,
      t.verdict ? badge(t.verdict, COLOURS[t.verdict] ?? "", t.detail) : badge("not graded", ""),
      t.status === "answered" ? null : badge(t.status, COLOURS[t.status] ?? ""),
      t.hit === null ? null : badge(t.hit ? "evidence seen in a zoom" : "evidence missed", t.hit ? "good" : "bad"),
      t.well_formed ? null : badge("not well formed", "warn")),
    make("h2", {}, q.question),
    options.length ? make("ul", { class: "options" }, options) : null,
    make("p", {}, "Right answer: ", make("b", {}, q.answer), ". Given answer: ", make("b", {}, t.answer ?? "none"), "."),
    t.reasons.length ? make("div", { class: "reasons" }, make("p", {}, t.outcome === "failed" ? "Failed because:" : "Dropped because:"), make("ul", {}, t.reasons.map((reason) =>
      make("li", {}, make("b", {}, words(reason)), data.reasons[reason] ? `: ${data.reasons[reason]}` : "")))) : null);
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
    const target = by_id.has(t.parent_id) ? make("a", { href: `#${encodeURIComponent(t.parent_id)}` }, t.parent_id) : `${t.parent_id} (not on this page)`;
    list.append(make("div", {}, make("dt", {}, "repairs"), make("dd", {}, target)));
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
    const evident = q.evidence.some((w) => w.start_s - data.evidence_edge_s <= time && time <= w.end_s + data.evidence_edge_s);
    const encoded = data.frames[id];
    const label = `frame at ${seconds(time)}${evident ? ", evidence" : ""}`;
    const picture = encoded
      ? make("button", { type: "button", "aria-label": `Enlarge ${label}`, on: { click: () => enlarge(encoded, label, id) } },
          make("img", { src: `data:image/jpeg;base64,${encoded}`, alt: label, loading: "lazy", decoding: "async" }))
      : make("span", { class: "missing" }, "not stored");
    return make("li", { class: evident ? "evident" : null }, picture, make("span", { class: "time" }, seconds(time)));
  }));
}
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
    act,
    turn.frames.length ? strip(turn.frames, q) : null,
    make("details", {}, make("summary", {}, "Full reply"), make("pre", {}, turn.reply)),
    turn.as_written === null ? null : make("details", {}, make("summary", {}, "As it was written"), make("pre", {}, turn.as_written)));
}
function enlarge(encoded, label, id) {
  const dialog = document.getElementById("large");
  dialog.querySelector("img").src = `data:image/jpeg;base64,${encoded}`;
  dialog.querySelector("img").alt = label;
  dialog.querySelector("p").textContent = `${label}; id ${id}`;
  dialog.showModal();
}

// ---- navigation ----
const current = () => decodeURIComponent(location.hash.slice(1));
function mark_current() {
  for (const link of list.querySelectorAll("a")) {
    if (link.dataset.id === current()) {
      link.setAttribute("aria-current", "true");
      link.scrollIntoView({ block: "nearest" });
    } else link.removeAttribute("aria-current");
  }
}
function go(step) {
  if (!shown.length) return;
  const at = shown.findIndex((t) => t.id === current());
  location.hash = encodeURIComponent(shown[at < 0 ? 0 : Math.min(Math.max(at + step, 0), shown.length - 1)].id);
}
addEventListener("hashchange", () => { show(current()); mark_current(); });
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("large").open) return;
  if (event.target.closest?.("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "j" || event.key === "ArrowRight") go(1);
  else if (event.key === "k" || event.key === "ArrowLeft") go(-1);
  else if (event.key === "/") { event.preventDefault(); document.getElementById("search").focus(); }
});
build_filters();
apply();
if (data.note) Object.assign(document.getElementById("note"), { textContent: data.note, hidden: false });
if (!current() && data.trajectories.length) {
  // Start with a kept trajectory that zoomed on the evidence, if there is one.
  const first = data.trajectories.find((t) => t.outcome === "kept" && t.hit) ?? data.trajectories[0];
  history.replaceState(null, "", `#${encodeURIComponent(first.id)}`);
}
show(current());
mark_current();
