"use strict";
// One trajectory, alone or beside another, with what the rules said and where all samples of its question looked.
const main = document.getElementById("main");
let item = null, reviewable = false;
view.picture = (id) => `/frame/${encodeURIComponent(id)}?of=${encodeURIComponent(view.of)}`;
view.link = (id) => make("a", { href: link_to({ id, with: "" }), on: { click: follow } }, id);
view.after_zoom = (turn, t) => make("p", { class: "clip" }, make("button", { type: "button", on: { click: (event) => play_clip(event.target, turn, t) } }, "Play clip"));

const NO_QUESTION = (t) => ({ question: `Question ${t.question_id} is not in table questions`, options: [], evidence: [], answer: "?" });
const NO_VIDEO = (t) => ({ uri: t.video_id, duration_s: null, shots: [] });

function play_clip(button, turn, t) {
  const pairs = new URLSearchParams({ of: t.id, start: turn.start_s, end: turn.end_s });
  const video = make("video", { src: `/clip?${pairs}`, controls: true, autoplay: true, muted: true, "aria-label": `Clip of ${seconds(turn.start_s)} to ${seconds(turn.end_s)}` });
  video.addEventListener("error", async () => {
    const answer = await fetch(video.src);
    const why = answer.ok ? "this browser cannot play it" : (await answer.json()).error;
    video.replaceWith(make("span", { class: "fault" }, `No clip: ${why}`));
  });
  button.replaceWith(video);
}
async function show(id, other) {
  if (!id) {
    item = null;
    main.replaceChildren(make("p", { class: "empty" }, found.total ? "Choose a trajectory: press j for the first one." : "There are no trajectories yet."));
    return;
  }
  // No key decides about what is no longer, or not yet, in sight.
  item = null;
  document.getElementById("review")?.remove();
  const [one, two] = await Promise.all([id, other].filter(Boolean).map((name) => ask("/api/item", [["id", name]])));
  if (id !== current()) return;
  item = one;
  Object.assign(view, { letters: one.letters, evidence_edge_s: one.evidence_edge_s, reasons: Object.fromEntries(one.rules.map((rule) => [rule.name, rule.drops])) });
  const t = one.trajectory, q = one.question ?? NO_QUESTION(t);
  const lanes = make("section", { class: "samples", "aria-label": "All samples of the question" });
  main.replaceChildren(...[
    about(one, two), reviewable ? review_bar() : null, two ? make("div", { class: "pair" }, column(one), column(two)) : null,
    two ? null : make("div", {}, body(one)), lanes,
  ].filter((part) => part !== null));
  main.scrollTop = 0;
  if (matchMedia("(max-width: 860px)").matches) main.scrollIntoView();
  document.title = `${q.question} – VideoZoomer`;
  const { samples } = await ask("/api/samples", [["question", t.question_id]]);
  if (id === current()) lanes.replaceChildren(...sample_table(samples, one));
}
function about(one, two) {
  const t = one.trajectory, q = one.question ?? NO_QUESTION(t);
  if (two) return make("header", {}, make("h2", {}, q.question), make("p", {}, "Right answer: ", make("b", {}, q.answer), ". ",
    make("a", { href: link_to({ with: "" }), on: { click: follow } }, "Show one alone")));
  const beside = [t.parent_id, ...one.repairs].filter(Boolean).map((id) => make("a", { class: "beside", href: link_to({ with: id }), on: { click: follow } },
    id === t.parent_id ? "Side by side with what it repairs" : "Side by side with its repair"));
  const parts = head(t, q);
  if (beside.length) parts.append(make("p", {}, ...beside));
  return parts;
}
function body(one) {
  const t = one.trajectory, q = one.question ?? NO_QUESTION(t), video = one.video ?? NO_VIDEO(t);
  view.of = t.id;
  return [facts(t, q, video), blind ? null : rule_table(one.rules), timeline(t, q, video), ...episode(one)];
}
function episode(one) {
  const t = one.trajectory, q = one.question ?? NO_QUESTION(t);
  view.of = t.id;
  return [
    t.overview.length
      ? make("details", { class: "overview", open: t.overview.length <= 40 }, make("summary", {}, `Overview: ${t.overview.length} frames`), strip(t.overview, q))
      : make("p", { class: "small" }, "The player saw no overview: this episode was played blind."),
    make("section", {}, make("h3", {}, "Turns"), make("ol", { class: "turns" }, t.turns.map((turn, n) => turn_item(turn, n, t, q)))),
    t.status === "failed" ? make("p", { class: "fault" }, `The episode could not be finished: ${words(t.failure)}. It may be retried.`) : null,
    t.status === "exhausted" ? make("p", { class: "fault" }, "The rounds ran out without an answer.") : null,
  ];
}
function column(one) {
  const t = one.trajectory, q = one.question ?? NO_QUESTION(t), video = one.video ?? NO_VIDEO(t);
  view.of = t.id;
  return make("section", { "aria-label": `${t.kind} ${t.sample}` },
    make("h3", {}, `${t.kind} ${t.sample} by ${t.player} `, blind ? null : badge(...state(t)), t.verdict ? badge(t.verdict, COLOURS[t.verdict] ?? "") : null),
    make("p", {}, "Given answer: ", make("b", {}, t.answer ?? "none"), ". ", view.link(t.id)),
    timeline(t, q, video), ...episode(one).filter((part) => part !== null));
}
function rule_table(rules) {
  if (!rules.length) return make("p", { class: "small" }, "The rules do not look at this trajectory.");
  const order = { dropped: 0, "kept by a review": 1, skipped: 2, "not reached": 3, passed: 4 };
  const sorted = [...rules].sort((a, b) => order[a.outcome] - order[b.outcome]), count = (outcome) => rules.filter((rule) => rule.outcome === outcome).length;
  const said = Object.keys(order).filter(count).map((outcome) => `${count(outcome)} ${outcome}`).join(", ");
  return make("details", { class: "rules" }, make("summary", {}, `Rules: ${said}`),
    make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Rules" }, make("table", {},
      make("thead", {}, make("tr", {}, ["rule", "outcome", "level", "drops"].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, sorted.map((rule) => make("tr", {}, make("th", { scope: "row" }, words(rule.name)),
        make("td", {}, badge(rule.outcome, { dropped: "bad", passed: "good" }[rule.outcome] ?? "warn")), make("td", {}, rule.level), make("td", {}, rule.drops)))))));
}

// ---- all samples of the question on one time line ----
function sample_table(samples, one) {
  const q = one.question ?? NO_QUESTION(one.trajectory), video = one.video ?? NO_VIDEO(one.trajectory);
  const end = Math.max(video.duration_s ?? 0, ...q.evidence.map((w) => w.end_s), ...samples.flatMap((s) => s.zooms.map((z) => z[1])), 1);
  return [
    make("h3", {}, samples.length === 1 ? "The only trajectory of this question" : `All ${samples.length} trajectories of this question`),
    make("table", { class: "lanes" },
      make("thead", {}, make("tr", {}, ["trajectory", "outcome", "answer", `where it looked, 0 to ${seconds(end)}`, "beside"].map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, samples.map((s) => sample_row(s, one, q, video, end)))),
  ];
}
function sample_row(s, one, q, video, end) {
  const here = s.id === one.trajectory.id;
  return make("tr", { class: here ? "here" : null },
    make("th", { scope: "row" }, here ? make("span", {}, `${s.kind} ${s.sample}`) : make("a", { href: link_to({ id: s.id, with: "" }), on: { click: follow } }, `${s.kind} ${s.sample}`),
      make("span", { class: "small" }, ` ${s.player}${s.condition === "zoom" ? "" : `, ${s.condition}`}`)),
    make("td", {}, blind ? null : badge(...state(s)), s.outcome && s.verdict ? badge(s.verdict, COLOURS[s.verdict] ?? "") : null),
    make("td", { class: "answer" }, s.answer ?? "none"), make("td", { class: "lane" }, lane(s, q, video, end)),
    make("td", {}, here ? "" : make("a", { href: link_to({ with: s.id }), on: { click: follow }, "aria-label": `Side by side with ${s.kind} ${s.sample}` }, "compare")));
}
function lane(s, q, video, end) {
  const width = 600, x = (time) => (Math.min(Math.max(time, 0), end) / end) * width;
  const parts = [make_svg("rect", { x: 0, y: 8, width, height: 4, class: "shot" })];
  video.shots.forEach(([from, to], n) => { if (n % 2) parts.push(make_svg("rect", { x: x(from), y: 8, width: Math.max(x(to) - x(from), 0.5), height: 4, class: "shot odd" })); });
  for (const w of q.evidence) parts.push(make_svg("rect", { x: x(w.start_s), y: 0, width: Math.max(x(w.end_s) - x(w.start_s), 3), height: 20, class: "evidence" }));
  for (const [from, to] of s.zooms) parts.push(make_svg("rect", { x: x(from), y: 3, width: Math.max(x(to) - x(from), 3), height: 14, rx: 2, class: "zoom" }));
  const said = s.zooms.length ? s.zooms.map(([from, to, fps]) => `${seconds(from)} to ${seconds(to)} at ${fps} fps`).join("; ") : "no zoom";
  return make_svg("svg", { viewBox: `0 0 ${width} 20`, role: "img", "aria-label": said, preserveAspectRatio: "none" }, ...parts);
}
