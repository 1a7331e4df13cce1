"use strict";
// Examples, to look through: which of them are shown, by filters, keys and links.
// The rows are as nlp_transfer/report/browser.py describes them; example.js draws one.

const AT_ONCE = 50; // drawn at a time: of 10,000 examples the first are there at once

const browsers = [...document.querySelectorAll(".browser")].map(browser);
let active = browsers[0]; // the one that keys are for

function browser(root) {
  const { names, rows } = JSON.parse(root.querySelector("script").textContent);
  const [earlier, more] = [".earlier", ".more"].map((name) => root.querySelector(name));
  const view = {
    names,
    prefix: root.dataset.prefix, // of the ids of examples
    examples: rows.map(([number, text, answers, kinds, types, slices, where]) =>
      ({ number, text, answers, kinds, types, slices, where })),
    root,
    form: root.querySelector("form"),
    list: root.querySelector("ol"),
    found: root.querySelector(".found"),
    earlier,
    more,
    hits: [], // places in examples that pass the filters
    from: 0, // of the hits, the first that is drawn
    to: 0, // and the one after the last
    current: -1, // of the hits, the one that keys have come to
  };
  view.form.hidden = root.querySelector(".keys").hidden = false;
  addFilters(view);
  view.form.addEventListener("submit", (event) => event.preventDefault());
  view.form.addEventListener("input", () => filter(view));
  // The address is not written at every letter: browsers limit how often.
  view.form.addEventListener("change", () => remember(view));
  root.addEventListener("focusin", () => { active = view; });
  view.list.addEventListener("click", (event) => followLink(view, event));
  more.addEventListener("click", () => drawMore(view));
  earlier.addEventListener("click", () => drawEarlier(view));
  return view;
}

// --- filters

function addFilters(view) {
  const { kind, type, slice } = view.form.elements;
  const all = view.examples.length;
  const wrong = view.examples.filter((example) => example.kinds.length).length;
  kind.add(new Option(`all examples (${counted(all)})`, ""));
  if (wrong && wrong < all) {
    kind.add(new Option(`with a mistake (${counted(wrong)})`, "*", true, true));
    kind.add(new Option(`all right (${counted(all - wrong)})`, "-"));
  }
  type.add(new Option("any", ""));
  slice.add(new Option("any", ""));
  addNames(view, kind, "kinds");
  addNames(view, type, "types");
  addNames(view, slice, "slices");
}

function addNames(view, select, property) {
  const counts = new Map();
  for (const example of view.examples) {
    for (const name of new Set(example[property])) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const named = [...counts].map(([number, count]) => [view.names[number], count]);
  named.sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }));
  for (const [name, count] of named) {
    // With "=" before it, for a type may be called "*" or "-" too.
    select.add(new Option(`${visible(name)} (${counted(count)})`, `=${name}`));
  }
  // What all examples have in common is no choice.
  const all = view.examples.length;
  select.parentElement.hidden = named.every(([, count]) => count === all);
}

function counted(number) {
  return number.toLocaleString("en");
}

function filter(view) {
  const { kind, type, slice, q } = view.form.elements;
  const words = q.value.trim().toLowerCase();
  const tests = [
    kindTest(view, kind.value),
    nameTest(view, "types", type.value),
    nameTest(view, "slices", slice.value),
    words && ((example) => (example.lower ??= example.text.toLowerCase()).includes(words)),
  ].filter(Boolean);
  view.hits = [...view.examples.keys()].filter((place) =>
    tests.every((test) => test(view.examples[place])));
  const [hits, all] = [view.hits.length, view.examples.length];
  view.found.textContent =
    hits ? `${counted(hits)} of ${counted(all)} examples` : `None of ${counted(all)} is like this.`;
  view.current = -1;
  drawFrom(view, 0);
}

function kindTest(view, value) {
  if (value === "*") return (example) => example.kinds.length > 0;
  if (value === "-") return (example) => example.kinds.length === 0;
  return nameTest(view, "kinds", value);
}

function nameTest(view, property, value) {
  const number = view.names.indexOf(value.slice(1));
  return value && ((example) => example[property].includes(number));
}

// --- what is drawn

function drawFrom(view, from) {
  view.from = view.to = from;
  view.list.replaceChildren();
  drawMore(view);
}

function drawMore(view) {
  const to = Math.min(view.to + AT_ONCE, view.hits.length);
  view.list.append(...drawn(view, view.to, to));
  view.to = to;
  offerOthers(view);
}

function drawEarlier(view) {
  const from = Math.max(view.from - AT_ONCE, 0);
  view.list.prepend(...drawn(view, from, view.from));
  view.from = from;
  offerOthers(view);
}

function drawn(view, from, to) {
  return view.hits.slice(from, to).map((place) => drawExample(view, view.examples[place]));
}

function offerOthers(view) {
  view.earlier.hidden = view.from === 0;
  view.more.hidden = view.to === view.hits.length;
}

function goTo(view, hit) {
  if (hit < 0 || hit >= view.hits.length) return;
  if (hit < view.from - 1 || hit > view.to) drawFrom(view, hit - (hit % AT_ONCE));
  if (hit === view.from - 1) drawEarlier(view);
  if (hit === view.to) drawMore(view);
  active = view;
  view.current = hit;
  const item = markCurrent(view);
  item.focus({ preventScroll: true });
  item.scrollIntoView({ block: "nearest" });
  remember(view);
}

function markCurrent(view) {
  view.list.querySelector("[aria-current]")?.removeAttribute("aria-current");
  const item = view.list.children[view.current - view.from];
  if (view.current >= 0) item.setAttribute("aria-current", "true");
  return item;
}

// --- links: the address holds the example and the filters, #e123&kind=%3Dmissed&q=bank

function remember(view) {
  const place = view.hits[view.current];
  const number = place === undefined ? "" : view.examples[place].number;
  const filters = new URLSearchParams();
  for (const field of view.form.elements) {
    if (field.value !== atFirst(field)) filters.set(field.name, field.value);
  }
  const told = filters.toString();
  history.replaceState(null, "", `#${view.prefix}${number}${told && `&${told}`}`);
}

function atFirst(field) {
  const chosen = [...(field.options ?? [])].find((option) => option.defaultSelected);
  return chosen ? chosen.value : "";
}

function restore(view) {
  const found = location.hash.match(new RegExp(`^#${view.prefix}(\\d*)(?:&(.*))?$`));
  if (!found) return false;
  const filters = new URLSearchParams(found[2]);
  setFilters(view, (field) => filters.get(field.name) ?? atFirst(field));
  if (!found[1]) {
    view.root.scrollIntoView();
    return true;
  }
  const place = view.examples.findIndex((example) => example.number === Number(found[1]));
  // An example that is asked for is shown, whatever the filters.
  if (place >= 0 && !view.hits.includes(place)) setFilters(view, () => "");
  goTo(view, view.hits.indexOf(place));
  return true;
}

// Of what is shown already, so the filters stay.
function followLink(view, event) {
  if (!event.target.closest(".link") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  goTo(view, view.from + [...view.list.children].indexOf(event.target.closest("li")));
}

function setFilters(view, valueOf) {
  for (const field of view.form.elements) {
    field.value = valueOf(field);
    if (field.selectedIndex === -1) field.value = ""; // a name that is not here
  }
  filter(view);
}

// --- keys

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select");
  if (field && event.key !== "Escape") return;
  const act = {
    "/": () => active.form.elements.q.focus(),
    j: () => goTo(active, active.current + 1),
    k: () => goTo(active, active.current - 1),
    Escape: () => (field ? leave(field) : goNowhere(active)),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function leave(field) {
  if (field.type === "search" && field.value) {
    field.value = "";
    filter(active);
    remember(active);
  }
  field.blur();
}

function goNowhere(view) {
  view.current = -1;
  markCurrent(view);
  document.activeElement.blur();
  remember(view);
}

browsers.forEach(filter);
browsers.some(restore);
window.addEventListener("hashchange", () => browsers.some(restore));
document.addEventListener("keydown", onKey);
