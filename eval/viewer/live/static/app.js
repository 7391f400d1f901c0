"use strict";
// Keys, history, and what a running pipeline changes meanwhile.
const KEYS = [
  ["j", "next trajectory", () => step(1)],
  ["k", "previous trajectory", () => step(-1)],
  ["/", "search", () => document.getElementById("search").focus()],
  ["f", "filters", () => { const more = document.getElementById("more"); more.open = !more.open; if (more.open) selects.kind.focus(); }],
  ["b", "beside the trajectory that it repairs, or its repair", () => { const other = address().get("with") ? "" : item?.trajectory.parent_id ?? item?.repairs[0]; if (other !== undefined) go_to({ with: other }); }],
  ["l", "pairs of leaks to confirm or refuse", () => (blind ? null : show_pairs())],
  ["?", "these keys", () => document.getElementById("keys").showModal()],
];
let version = 0, showing = "", listed = null;

function complain(error) {
  const notice = document.getElementById("notice");
  notice.replaceChildren(error.message, " ", make("button", { type: "button", on: { click: () => { notice.hidden = true; } } }, "Close"));
  notice.hidden = false;
}
function noticed(newer) {
  const first = version === 0;
  if (newer <= version) return;
  version = newer;
  if (first) return;
  refill({ keep: true }).catch(complain);
  // What is being read stays as it is until it changes hands.
}
async function moved() {
  const key = JSON.stringify(asked()), now = `${current()} ${address().get("with") ?? ""}`;
  try {
    if (key !== listed) { listed = key; await refill(); }
    if (now !== showing) {
      showing = now;
      await show(current(), address().get("with"));
    }
    if (current()) await reveal(current());
  } catch (error) {
    complain(error);
  }
}
function build_keys() {
  if (reviewable) KEYS.push(...usable().map((one) => [one.key, one.hint ?? one.name.toLowerCase(), one.act]));
  document.getElementById("keys-list").replaceChildren(...KEYS.map(([key, what]) => make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, what))));
  document.getElementById("help").addEventListener("click", () => document.getElementById("keys").showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const found_key = KEYS.find(([key]) => key === event.key);
    if (!found_key) return;
    event.preventDefault();
    Promise.resolve(found_key[2]()).catch(complain);
  });
}
addEventListener("popstate", moved);
build_filters();
ask("/api/state").then((now) => {
  [blind, reviewable, view.hides] = [now.blind, now.reviews, now.blind];
  build_keys();
  document.getElementById("name").textContent = now.name;
  return moved();
}).catch(complain);
setInterval(() => { if (!document.hidden) ask("/api/state").catch(complain); }, 4000);
