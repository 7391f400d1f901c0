"use strict";
// Decisions of the person who looks: by key or button, about the trajectory in sight or its question.
let blind = false;
const SAID = { keep: "good", drop: "bad", judged: "", answer: "warn", tag: "", note: "", leak: "bad", no_leak: "good" };
const ACTS = [
  { key: "a", name: "Keep", act: () => decide("trajectory", "keep") },
  { key: "d", name: "Drop", act: () => decide("trajectory", "drop") },
  { key: "u", name: "Undo", hint: "take back keep or drop", act: () => decide("trajectory", "clear") },
  { key: "g", name: "Good", hint: "judge it good: measures precision, changes nothing", judges: true, act: () => judge("good") },
  { key: "x", name: "Bad", hint: "judge it bad", judges: true, act: () => judge("bad") },
  { key: "s", name: "Unsure", hint: "cannot say whether it is good", judges: true, act: () => judge("unsure") },
  { key: "t", name: "Tag", hint: "tag it; a tag that it has is taken away", act: () => ask_for("Tag", "", (value) => decide("trajectory", has("tag", value) ? "untag" : "tag", value)) },
  { key: "n", name: "Note", act: () => ask_for("Note", had("note"), (value) => decide("trajectory", "note", value), true) },
  { key: "c", name: "Correct key", hint: "the right answer of the question is another one", question: true, act: () => ask_for("Right answer of the question", item.question?.answer ?? "", (value) => decide("question", "answer", value)) },
  { key: "A", name: "Keep question", question: true, act: () => decide("question", "keep") },
  { key: "D", name: "Drop question", question: true, act: () => decide("question", "drop") },
  { key: "U", name: "Undo for question", question: true, act: () => decide("question", "clear") },
];
const usable = () => ACTS.filter((one) => !blind || one.judges || one.key === "n");
const has = (decision, value) => item.reviews.some((one) => one.decision === decision && one.value === value && one.subject === "trajectory");
const had = (decision) => item.reviews.find((one) => one.decision === decision && one.subject === "trajectory" && !one.stale)?.value ?? "";

async function decide(subject, decision, value = null, key = null) {
  if (!key && !item) return;
  const id = item?.trajectory.id;
  await ask("/api/review", [], {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ subject, key: key ?? (subject === "question" ? item.trajectory.question_id : id), decision, value }),
  });
  if (id) {
    const now = await ask("/api/item", [["id", id]]);
    if (item?.trajectory.id === id) {
      item.reviews = now.reviews;
      document.getElementById("review")?.replaceWith(review_bar());
    }
  }
  say(`${words(decision)}${value ? `: ${value}` : ""} recorded`);
  await refill({ keep: true });
}
async function judge(value) {
  if (!item) return;
  await decide("trajectory", "judged", value);
  if (blind) await step(1);
}
function ask_for(label, value, then, long = false) {
  if (!item) return;
  const dialog = document.getElementById("ask"), input = make(long ? "textarea" : "input", { name: "value", rows: long ? 5 : null, autocomplete: "off" });
  input.value = value;
  const save = async (event) => { event.preventDefault(); dialog.close(); try { await then(input.value.trim()); } catch (error) { complain(error); } };
  const form = make("form", { on: { submit: save } }, make("label", {}, label, " ", input),
    make("p", { class: "acts" }, make("button", {}, "Save"), make("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel")));
  input.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
  dialog.replaceChildren(form);
  dialog.showModal();
  input.select();
}
function review_bar() {
  const button = (one) => make("button", { type: "button", title: one.hint, on: { click: () => Promise.resolve(one.act()).catch(complain) } }, one.name, " ", make("kbd", {}, one.key));
  const acts = usable();
  return make("section", { id: "review", "aria-label": "Review" },
    make("p", { class: "acts" }, acts.filter((one) => !one.question).map(button)),
    acts.some((one) => one.question) ? make("details", { class: "acts" }, make("summary", {}, "About the question"), make("p", { class: "acts" }, acts.filter((one) => one.question).map(button))) : null,
    item.reviews.length ? make("ul", { class: "said" }, item.reviews.map(said)) : null);
}
function said(one) {
  let what = one.value ?? "";
  if (one.decision === "answer") { const { from, to } = JSON.parse(one.value); what = `${from} is wrong, ${to} is right`; }
  return make("li", {}, badge(`${one.subject === "question" ? "question: " : ""}${one.decision}`, one.stale ? "warn" : SAID[one.decision]), ` ${what} `,
    make("span", { class: "small" }, `${one.who}, ${one.at.slice(0, 16).replace("T", " ")} UTC${one.stale ? "; no longer applies: what was reviewed has changed" : ""}`));
}
let quiet;
function say(text) {
  const notice = document.getElementById("said");
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => { notice.hidden = true; }, 2500);
}

// ---- pairs of leaks ----
async function show_pairs() {
  const pairs = await ask("/api/pairs"), dialog = document.getElementById("pairs");
  const row = (pair) => {
    const settle = (decision) => decide("pair", decision, null, pair.pair_id).then(show_pairs).catch(complain);
    const rest = Object.entries(pair).filter(([name]) => !["table", "pair_id", "status", "train_id", "evaluation_id", "decision"].includes(name));
    return make("tr", {}, make("td", {}, badge(pair.decision ?? pair.status, SAID[pair.decision] ?? "")),
      make("td", {}, make("b", {}, pair.train_id), make("br"), pair.evaluation_id),
      make("td", {}, rest.map(([name, value]) => make("div", {}, make("span", { class: "small" }, `${words(name)} `), typeof value === "number" ? String(Math.round(value * 1000) / 1000) : Array.isArray(value) ? value.join(", ") : String(value)))),
      make("td", { class: "acts" }, make("button", { type: "button", on: { click: () => settle("leak") } }, "It is a leak"), make("button", { type: "button", on: { click: () => settle("no_leak") } }, "It is none")));
  };
  dialog.replaceChildren(make("h2", {}, "Pairs of training and evaluation items"),
    pairs.length ? make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Pairs" }, make("table", {},
      make("thead", {}, make("tr", {}, ["status", "training, evaluation", "evidence", "decision"].map((name) => make("th", { scope: "col" }, name)))), make("tbody", {}, pairs.map(row))))
      : make("p", {}, "There is no pair to settle."),
    make("form", { method: "dialog" }, make("button", {}, "Close")));
  if (!dialog.open) dialog.showModal();
}
