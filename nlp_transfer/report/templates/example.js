"use strict";
// How one example is drawn. Texts are other people's: they come onto the page as text, never as
// HTML.

function drawExample(view, example) {
  const item = make("li", "example");
  item.id = `${view.prefix}${example.number}`;
  item.tabIndex = -1;
  const link = make("a", "link", example.number.toLocaleString("en"));
  link.href = `#${item.id}`;
  const kinds = example.kinds.map((kind) => make("span", "kind", visible(view.names[kind])));
  item.append(make("p", "head", link, ...kinds, ...drawWhere(view, example)));
  item.append(make("dl", "sides", ...drawSides(view, example)));
  return item;
}

function drawWhere(view, { where: [file, line] }) {
  if (file === undefined) return [];
  return [make("span", "where", visible(view.names[file]) + (line ? `:${line}` : ""))];
}

// One line a side, gold above the others. The text stands once where no side marks anything in it,
// or all mark the same.
function drawSides(view, { text, answers }) {
  const all = answers.map(([side, marks, labels]) => ({
    side: visible(view.names[side]),
    marks: groups(marks, 4).map(([label, start, end, score]) => ({ label, start, end, score })),
    labels: groups(labels, 2).map(([label, score]) => ({ label, score })),
  }));
  const gold = all.find((answer) => answer.side === "gold");
  const others = all.filter((answer) => answer !== gold);
  const isMarked = all.some((answer) => answer.marks.length);
  if (isMarked && all.every((answer) => sameMarks(answer, all[0]) && !answer.labels.length)) {
    const names = all.map((answer) => answer.side).join(", ");
    return [make("dt", "", names), drawText(view, text, all.at(-1).marks, [])];
  }
  const lines = isMarked ? [] : [make("dt"), drawText(view, text, [], [])];
  for (const answer of all) {
    const against = answer === gold ? others : [gold].filter(Boolean);
    lines.push(make("dt", "", answer.side));
    if (isMarked) lines.push(drawText(view, text, answer.marks, against));
    if (!isMarked || answer.labels.length) lines.push(drawLabels(view, answer.labels, against));
  }
  return lines;
}

function sameMarks(answer, other) {
  return answer.marks.length === other.marks.length
    && answer.marks.every((mark) => has(other, mark));
}

function has(answer, mark) {
  return answer.marks.some((each) =>
    each.label === mark.label && each.start === mark.start && each.end === mark.end);
}

// A mark or label is right where what it is held against has it too: gold's, where any other has.
function verdict(against, test) {
  return !against.length || against.some(test) ? "right" : "wrong";
}

// Marks may overlap, so the text is cut wherever one begins or ends.
function drawText(view, text, marks, against) {
  const line = make("dd", "text");
  line.dir = "auto";
  const points = Array.from(text); // marks count code points; strings count some as two
  const part = (from, to) => visible(points.slice(from, to).join(""));
  const ends = marks.flatMap((mark) => [mark.start, mark.end]);
  const cuts = [...new Set([0, ...ends, points.length])].sort((a, b) => a - b);
  for (const [place, from] of cuts.slice(0, -1).entries()) {
    const to = cuts[place + 1];
    const here = marks.filter((mark) => mark.start <= from && to <= mark.end);
    line.append(here.length ? drawMarked(view, part(from, to), to, here, against) : part(from, to));
  }
  return line;
}

function drawMarked(view, text, to, marks, against) {
  const verdicts = marks.map((mark) => verdict(against, (answer) => has(answer, mark)));
  const stretch = make("mark", verdicts.includes("wrong") ? "wrong" : "right", text);
  for (const mark of marks) {
    // Set apart (bdi), for the text beside it may run from right to left.
    if (mark.end === to) stretch.append(make("bdi", "type", ...drawName(view, mark)));
  }
  return stretch;
}

function drawLabels(view, labels, against) {
  if (!labels.length) return make("dd", "nothing", "nothing");
  const chips = labels.map((label) => {
    const is = (own) => own.label === label.label;
    const style = verdict(against, (other) => other.labels.some(is));
    return make("bdi", `chip ${style}`, ...drawName(view, label));
  });
  return make("dd", "", ...chips);
}

function drawName(view, { label, score }) {
  const name = visible(view.names[label]);
  return score < 0 ? [name] : [name, make("small", "", ` ${(score / 1000).toFixed(2)}`)];
}

function groups(flat, size) {
  return Array.from({ length: flat.length / size }, (_, group) =>
    flat.slice(group * size, (group + 1) * size));
}

function make(tag, style = "", ...children) {
  const element = document.createElement(tag);
  if (style) element.className = style;
  element.append(...children);
  return element;
}

// As report/escaping.py does it: what would change how the text around it looks is spelled out.
const INVISIBLE =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/gu; // halves of pairs only

function visible(text) {
  return text.replace(INVISIBLE, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}
