"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const by_id = new Map(data.trajectories.map((t) => [t.id, t]));
const main = document.getElementById("main");
const list = document.getElementById("list");
const players = new Set(data.trajectories.map((t) => t.player)).size;
let shown = data.trajectories;
Object.assign(view, {
  letters: data.letters,
  evidence_edge_s: data.evidence_edge_s,
  reasons: data.reasons,
  picture: (id) => data.frames[id] ? `data:image/jpeg;base64,${data.frames[id]}` : null,
  link: (id) => by_id.has(id) ? make("a", { href: `#${encodeURIComponent(id)}` }, id) : `${id} (not on this page)`,
});

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
