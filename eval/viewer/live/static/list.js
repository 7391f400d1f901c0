"use strict";
// The list of trajectories: only the rows in sight are elements. Pages are asked for by the key of the last row before them.
const PAGE = 100, ROW = 84, TALLEST = 12_000_000;
const FILTERS = ["source", "kind", "player", "outcome", "verdict", "rule", "answer_type", "zooms", "evidence", "condition", "split", "topic", "review", "tag"];
const scroller = document.getElementById("list"), space = document.getElementById("space");
const found = { key: 0, pages: new Map(), last: new Map(), matching: 0, total: 0, asked: new Set() };

async function ask(path, pairs = [], options = {}) {
  const query = new URLSearchParams(pairs).toString();
  const response = await fetch(query ? `${path}?${query}` : path, options);
  if (response.status === 403) throw new Error("This page has no key any more. Open the address that `videozoomer view` printed last.");
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `The server answers ${response.status}.`);
  noticed(body.version);
  return body.result;
}

// ---- what the address asks for ----
const address = () => new URLSearchParams(location.search);
const current = () => address().get("id") ?? "";
function asked() {
  return [...address()].filter(([name, value]) => value && (name === "q" || FILTERS.includes(name)));
}
function go_to(changes, { replace = false } = {}) {
  const next = address();
  for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
  const query = next.toString();
  history[replace ? "replaceState" : "pushState"](null, "", query ? `?${query}` : location.pathname);
  moved();
}
function link_to(changes) {
  const next = address();
  for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
  return `?${next}`;
}

// ---- filters ----
const selects = {};
function build_filters() {
  const box = document.getElementById("selects");
  for (const name of FILTERS) {
    selects[name] = make("select", { on: { change: () => go_to({ [name]: selects[name].value }) } }, make("option", { value: "" }, "any"));
    box.append(make("label", {}, words(name), " ", selects[name]));
  }
  const form = document.getElementById("filters"), search = document.getElementById("search");
  form.addEventListener("submit", (event) => { event.preventDefault(); go_to({ q: search.value.trim() }); });
  form.addEventListener("reset", () => go_to(Object.fromEntries(["q", ...FILTERS].map((name) => [name, ""]))));
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => go_to({ q: search.value.trim() }, { replace: true }), 250); });
  if (matchMedia("(min-width: 861px) and (min-height: 800px)").matches) document.getElementById("more").open = true;
}
function show_chosen() {
  const search = document.getElementById("search"), chosen = asked().filter(([name]) => name !== "q");
  if (document.activeElement !== search) search.value = address().get("q") ?? "";
  document.getElementById("chosen").textContent = chosen.length ? `Filters: ${chosen.map(([name, value]) => `${words(name)} ${words(value)}`).join(", ")}` : "Filters";
}
async function show_facets() {
  const key = found.key, counted = await ask("/api/facets", asked());
  if (key !== found.key) return;
  for (const name of FILTERS) selects[name].parentElement.hidden = !(name in counted);
  for (const [name, values] of Object.entries(counted)) {
    const select = selects[name], value = address().get(name) ?? "";
    const options = values.map(([one, rows]) => make("option", { value: one }, `${words(one)} (${whole(rows)})`));
    if (value && !values.some(([one]) => one === value)) options.push(make("option", { value }, `${words(value)} (0)`));
    select.replaceChildren(make("option", { value: "" }, "any"), ...options);
    select.value = value;
    select.parentElement.hidden = values.length < 2 && !value && !["rule", "review", "tag"].includes(name);
  }
}

// ---- rows ----
let drawn = new Map();
async function load_page(number) {
  if (found.pages.has(number) || found.asked.has(number)) return;
  found.asked.add(number);
  const key = found.key;
  // The nearest page before this one whose last key is known.
  let before = number;
  while (before > 0 && !found.last.has(before - 1)) before -= 1;
  const after = before > 0 ? found.last.get(before - 1) : "";
  const page = await ask("/api/rows", [...asked(), ["after", after], ["skip", (number - before) * PAGE], ["limit", PAGE]]);
  if (key !== found.key) return;
  found.asked.delete(number);
  found.pages.set(number, page.rows);
  if (page.rows.length) found.last.set(number, page.rows.at(-1).id);
  Object.assign(found, { matching: page.matching, total: page.total });
  document.getElementById("count").textContent = found.matching === found.total
    ? `${whole(found.total)} trajectories` : `${whole(found.matching)} of ${whole(found.total)} trajectories`;
  space.style.height = `${Math.min(found.matching * ROW, TALLEST)}px`;
  draw_rows();
}
// Browsers limit how tall an element may be; beyond that, the scroll position is a share of the list.
function first_in_sight() {
  const tall = found.matching * ROW, seen = scroller.clientHeight;
  if (tall <= TALLEST) return scroller.scrollTop / ROW;
  return (scroller.scrollTop / Math.max(TALLEST - seen, 1)) * Math.max(found.matching - seen / ROW, 0);
}
function draw_rows() {
  const first = first_in_sight(), fits = Math.ceil(scroller.clientHeight / ROW);
  const from = Math.max(Math.floor(first) - 5, 0), to = Math.min(Math.ceil(first) + fits + 5, found.matching);
  const rows = [];
  for (let n = from; n < to; n += 1) {
    const row = found.pages.get(Math.floor(n / PAGE))?.[n % PAGE];
    if (!row) { load_page(Math.floor(n / PAGE)).catch(complain); continue; }
    // A row that stays the same stays the same element: one that is replaced under the pointer loses the click, and focus.
    const said = JSON.stringify([row, n, found.matching, link_to({ id: "", with: "" }), row.id === current()]);
    const item = drawn.get(n)?.said === said ? drawn.get(n).item : list_item(row, n);
    item.style.top = `${scroller.scrollTop + (n - first) * ROW}px`;
    rows.push([n, { said, item }]);
  }
  const focused = document.activeElement?.closest?.("#list a")?.dataset.id;
  drawn = new Map(rows);
  const items = rows.map(([, { item }]) => item), kept = new Set(items);
  for (const old of [...space.children]) if (!kept.has(old)) old.remove();
  items.forEach((item, at) => { if (space.children[at] !== item) space.insertBefore(item, space.children[at] ?? null); });
  if (focused && document.activeElement === document.body) space.querySelector(`a[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}
function list_item(row, n) {
  const here = row.id === current();
  return make("div", { role: "listitem", class: "row", "aria-setsize": found.matching, "aria-posinset": n + 1 },
    make("a", { href: link_to({ id: row.id, with: "" }), "data-id": row.id, "aria-current": here ? "true" : null, on: { click: follow } },
      make("span", { class: "question" }, row.question ?? row.question_id),
      make("span", { class: "line small" }, blind ? null : badge(...state(row)), marks(row), ` ${row.kind} ${row.sample}, ${row.player}, ${row.condition === "zoom" ? `${row.zooms} ${row.zooms === 1 ? "zoom" : "zooms"}` : row.condition}`)));
}
const marks = (row) => row.review.filter((one) => one !== "not reviewed").map((one) => make("span", { class: "mark" }, `${words(one)} `));
// A plain click moves within the page; any other opens the address as usual.
function follow(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go_to(Object.fromEntries(["id", "with"].map((name) => [name, new URL(event.currentTarget.href).searchParams.get(name) ?? ""])));
}
async function refill({ keep = false } = {}) {
  Object.assign(found, { key: found.key + 1, pages: new Map(), last: new Map(), asked: new Set() });
  if (!keep) scroller.scrollTop = 0;
  show_chosen();
  const number = keep ? Math.floor(Math.max(first_in_sight(), 0) / PAGE) : 0;
  await load_page(number);
  await show_facets();
}
async function reveal(id) {
  const { position } = await ask("/api/position", [...asked(), ["id", id]]);
  if (position === null || id !== current()) return;
  const first = first_in_sight(), fits = scroller.clientHeight / ROW;
  if (position < first || position + 1 > first + fits) {
    const tall = found.matching * ROW, target = Math.max(position - fits / 3, 0);
    scroller.scrollTop = tall <= TALLEST ? target * ROW : (target / Math.max(found.matching - fits, 1)) * (TALLEST - scroller.clientHeight);
  }
  draw_rows();
}
async function step(by) {
  if (!current()) {
    const first = found.pages.get(0)?.[0];
    if (first) go_to({ id: first.id, with: "" });
    return;
  }
  const { id } = await ask("/api/neighbour", [...asked(), ["id", current()], ["step", by]]);
  if (id) go_to({ id, with: "" });
}
scroller.addEventListener("scroll", () => requestAnimationFrame(draw_rows));
addEventListener("resize", () => requestAnimationFrame(draw_rows));
