// Draws the data of browser.py, in which a section of a network has up to three views: closed, folded
// and with every block. A section's state is the number of its view; networks side by side share it.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent), svg = $("drawing"), view = $("view");
const CLOSED = 0, FOLDED = 1, WHOLE = 2;
const { TITLE_HEIGHT, LANE_GAP, ROW, HEADING_WIDTH, HEADING_HEIGHT, CORNER, ARROW, FONT_SIZE } = data.sizes;
const clamp = (least, number, most) => Math.max(least, Math.min(most, number));

// Elements -------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  // The namespace is the drawing's own, so that no address is written here.
  const made = document.createElementNS(svg.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function tag(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

// Words in a style: their size, whether they are bold, the role of a shortcut, whether marked.
function styled(name, [words, size, bold, role, marked], place = {}) {
  const style = [bold && "bold", role && `role ${role}`, marked && "underlined"].filter(Boolean).join(" ");
  return element(name, { ...place, class: style, "font-size": size }, words);
}

const text = (x, top, span) => styled("text", span, { x, y: top + span[1] });
const rectangle = (kind, x, y, width, height, rx) => element("rect", { class: kind, x, y, width, height, rx });
const fork = ([cx, cy]) => element("circle", { class: "fork flow", cx, cy, r: 1.8 });

// Points moved down; an x below 0 is a distance beyond the right edge.
const moved = (points, down, right) => points.map(([x, y]) => [x < 0 ? right - x : x, y + down]);

const distance = ([a, b], [c, d]) => Math.hypot(a - c, b - d);

function towards(from, to, length) {
  const part = length / (distance(from, to) || 1);
  return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
}

// A part of the drawing that can have the focus; `about` is what the details tell of it.
function control(kind, label, about, more = {}) {
  const look = { class: kind, role: "button", tabindex: -1, "aria-label": label, ...more };
  return Object.assign(element("g", look), { about });
}

// A line with rounded corners, and an arrow at its end.
function line(role, arrow, corners) {
  const route = corners.filter((point, i) => !i || distance(point, corners[i - 1]) > 0.05);
  if (route.length < 2) return [];
  const kind = role || "flow", end = route.at(-1), parts = [];
  if (arrow) {
    const base = (route[route.length - 1] = towards(end, route.at(-2), ARROW));
    const [x, y] = [(end[0] - base[0]) * 0.4, (end[1] - base[1]) * 0.4];
    const sides = [[base[0] - y, base[1] + x], [base[0] + y, base[1] - x]];
    parts.push(element("path", { class: `tip ${kind}`, d: `M${end}L${sides[0]}L${sides[1]}Z` }));
  }
  const turns = route.slice(1, -1).map((corner, i) => {
    const [before, after] = [route[i], route[i + 2]];
    const radius = Math.min(CORNER, distance(before, corner) / 2, distance(corner, after) / 2);
    return `L${towards(corner, before, radius)}Q${corner} ${towards(corner, after, radius)}`;
  });
  const d = ["M", route[0], ...turns, "L", route.at(-1)].join("");
  return [element("path", { class: `line ${kind}`, d }), ...parts];
}

// Sections -------------------------------------------------------------------------------------

// For each section, the layers of every box of the whole network: [name, its facts].
const sections = data.networks.flatMap((network) => network.sections.map((section, row) => {
  const boxes = section.layers.flatMap(([set, beginning]) =>
    data.layers[set].map((box) => box.map(([rest, fact]) => [beginning + rest, data.facts[fact]])));
  return Object.assign(section, { network, row, boxes, drawn: [], title: section.heading[0]?.[2][0] ?? "" });
}));
const mostOpen = [];
for (const { row, views } of sections) mostOpen[row] = Math.max(mostOpen[row] ?? 0, views.length - 1);
const states = mostOpen.map((most) => Math.min(data.state, most));
const stateOf = (section) => Math.min(states[section.row], section.views.length - 1);
const viewOf = (section) => section.views[stateOf(section)];

// What each panel stands for: `count` boxes of the whole network from `first` on, and again after
// every `step`, `repeats` times. The boxes of a closed section are those of folded panels.
function contents(section, state) {
  let next = 0;
  return section.views[Math.max(state, FOLDED)].panels.map(([drawing, , , name, repeats]) => {
    const step = data.drawings[drawing][2].length, first = next;
    next += step * repeats;
    return { section, name, first, step, repeats, count: step, closed: state === CLOSED };
  });
}

function drawSection(section, state) {
  const { frame: [, top], panels, lines } = section.views[state];
  const group = element("g"), of = contents(section, state);
  group.lane = rectangle("lane", 0, 0, 0, 0, 8);
  group.append(group.lane, drawHeading(section, state));
  panels.forEach((panel, number) => group.append(drawPanel(panel, top, of[number])));
  for (const [role, arrow, way] of lines) group.append(...line(role, arrow, moved(way, -top)));
  return group;
}

function drawHeading(section, state) {
  const label = section.heading.map(([, , [words]]) => words).join(", ");
  const group = control("heading", label, { section }, { "aria-expanded": state > CLOSED });
  group.append(rectangle("ring", 4, 6, HEADING_WIDTH, HEADING_HEIGHT + 6, 5));
  for (const place of section.heading) group.append(text(...place));
  const parts = element("g", {}, group);
  for (const by of [-1, 1]) {
    if (state + by < CLOSED || state + by > mostOpen[section.row]) continue;
    const [sign, what, x] = by > 0 ? ["+", "Unfold", HEADING_WIDTH - 5] : ["−", "Fold", HEADING_WIDTH - 24];
    const button = element("g", { class: "sign", transform: `translate(${x},12)` },
      element("title", {}, what), rectangle("", 0, 0, 16, 16, 3), text(8, -0.5, [sign, 13]));
    button.addEventListener("click", () => unfold(group.about, by));
    parts.append(button);
  }
  return parts;
}

function drawPanel([number, x, y, name], top, about) {
  const [frames, texts, boxes, forks, lines] = data.drawings[number];
  const group = element("g", { transform: `translate(${x},${y - top})` });
  for (const [kind, ...place] of frames) group.append(rectangle(kind, ...place, 6));
  for (const [left, above, [words, ...style]] of texts) {
    const made = text(left, above, [words === "{}" ? name : words, ...style]);
    if (made.matches(".bold")) made.addEventListener("click", () => unfold(about, 1));
    group.append(made);
  }
  boxes.forEach((box, k) =>
    group.append(drawBox(box, about.closed ? about : { ...about, first: about.first + k, count: 1 })));
  for (const [role, arrow, way] of lines) group.append(...line(role, arrow, way));
  group.append(...forks.map(fork));
  return group;
}

function drawBox([x, middle, cells], about) {
  const words = cells.map((cell) => cell[2]).join(", ");
  const label = [about.section.title, about.closed ? "" : about.name, words].filter(Boolean).join(", ");
  const group = control("box", label, { ...about, words });
  let left = x;
  for (const [kind, width, part, marked] of cells) {
    group.append(rectangle(`cell ${kind}${marked ? " marked" : ""}`, left, middle - ROW / 2, width, ROW, 0));
    group.append(text(left + width / 2, middle - FONT_SIZE * 0.64, [part, FONT_SIZE]));
    left += width;
  }
  group.append(rectangle("ring", x - 2, middle - ROW / 2 - 2, left - x + 4, ROW + 4, 3));
  return group;
}

// The page -------------------------------------------------------------------------------------

const size = { width: 0, height: 0, scale: 1, fitted: true };

// Stack the sections in their states; those in one row of networks side by side are equally high.
function arrange() {
  const heights = states.map((_, row) =>
    Math.max(...sections.filter((one) => one.row === row).map((one) => viewOf(one).frame[3])));
  const tops = [TITLE_HEIGHT];
  heights.forEach((height, row) => tops.push(tops[row] + height + LANE_GAP));
  svg.replaceChildren();
  size.width = -2 * LANE_GAP;
  for (const network of data.networks) size.width += 2 * LANE_GAP + drawNetwork(network, tops, heights);
  size.width += 6;
  size.height = tops.at(-1) + 2;
  if (data.note) {
    svg.append(text(0, size.height + 1, [data.note, 13]));
    size.height += 30;
  }
  svg.classList.toggle("one-page", size.height < 2.5 * size.width);
  svg.setAttribute("viewBox", `-2 0 ${size.width} ${size.height}`);
  for (const button of document.querySelectorAll("[data-state]")) {
    const state = +button.dataset.state;
    button.setAttribute("aria-pressed", states.every((one, row) => one === Math.min(state, mostOpen[row])));
  }
  if (size.fitted) fit(); else scaleTo(size.scale);
  rove();
}

// Draw a network to the right of the others, and return its width.
function drawNetwork(network, tops, heights) {
  const heading = element("text", { y: 17 }, ...network.title.map((span) => styled("tspan", span)));
  const group = element("g", { transform: `translate(${size.width + 2 * LANE_GAP},0)` }, heading);
  svg.append(group);
  const widths = network.sections.map((section) => viewOf(section).frame[2]);
  const width = Math.max(heading.getComputedTextLength(), ...widths);
  for (const section of network.sections) {
    const { row } = section, state = stateOf(section);
    const drawn = (section.drawn[state] ??= drawSection(section, state));
    drawn.setAttribute("transform", `translate(0,${tops[row]})`);
    drawn.lane.setAttribute("width", width);
    drawn.lane.setAttribute("height", heights[row]);
    group.append(drawn);
  }
  group.append(...linesBetween(network.sections, tops, width));
  return width + network.beside;
}

// The lines from one section to another: each is in two parts, and one corner joins them.
function linesBetween(inOrder, tops, width) {
  const starts = new Map(), parts = [];
  for (const section of inOrder) {
    const { frame: [, top], inlets, outlets } = viewOf(section), down = tops[section.row] - top;
    for (const [number, arrow, way] of inlets) {
      const start = starts.get(number), end = moved(way, down, width);
      const corner = [start.at(-1)[0], end[0][1]];
      parts.push(...line(number < 0 ? "" : "skip", arrow, [...start, corner, ...end]));
    }
    for (const [number, forks, way] of outlets) {
      starts.set(number, moved(way, down, width));
      if (forks) parts.push(fork(starts.get(number)[0]));
    }
  }
  return parts;
}

const focused = () => document.activeElement?.about;

// Draw sections in other states; what had the focus keeps it.
function change(wanted) {
  const about = focused();
  states.forEach((state, row) => (states[row] = clamp(CLOSED, wanted(state, row), mostOpen[row])));
  arrange();
  if (about) focusOn(about.section, about.first);
}

const unfold = ({ section }, by) => change((state, row) => state + (row === section.row ? by : 0));

// Focus ------------------------------------------------------------------------------------------

let current = null;

// One stop of the Tab key for the whole drawing; the arrow keys go on from there.
function rove(stop) {
  current?.setAttribute("tabindex", -1);
  current = stop ?? (current?.isConnected ? current : svg.querySelector(".heading"));
  current?.setAttribute("tabindex", 0);
}

function reveal(stop, block = "nearest") {
  stop.focus({ preventScroll: true });
  stop.scrollIntoView({ block, inline: "nearest" });
}

// Focus the box that stands for a box of the whole network, or the section's heading.
function focusOn(section, box, block) {
  const [heading, ...boxes] = section.drawn[stateOf(section)].querySelectorAll(".heading, .box");
  const found = boxes.find(({ about: { first, step, repeats, count } }) =>
    box >= first && box < first + step * repeats && (box - first) % step < count);
  reveal(found ?? heading, block);
}

function step(by) {
  const stops = [...svg.querySelectorAll(".heading, .box")];
  reveal(stops[clamp(0, stops.indexOf(document.activeElement) + by, stops.length - 1)]);
}

const stopOf = (event) => event.target.closest(".heading, .box");
svg.addEventListener("focusin", (event) => {
  rove(stopOf(event));
  tell(focused());
});
svg.addEventListener("pointerover", (event) => stopOf(event) && tell(stopOf(event).about));
svg.addEventListener("pointerleave", () => tell(focused()));
svg.addEventListener("dblclick", (event) => stopOf(event) && unfold(stopOf(event).about, 1));

// Details ----------------------------------------------------------------------------------------

const count = (number) => (number === null ? "?" : number.toLocaleString("en"));

const list = (terms) => tag("dl", ...terms.flatMap(([term, value]) => [tag("dt", term), tag("dd", value)]));

// What some layers cost together, and the output of the last one.
function totals(layers, output = layers.at(-1)?.[1][0]) {
  const sum = (field) => layers.reduce((total, [, fact]) =>
    total === null || fact[field] === null ? null : total + fact[field], 0);
  return list([["output", output || "several"], ["parameters", count(sum(2))],
    ["multiply-adds", count(sum(3))], ["layers", count(layers.length)]]);
}

function tell(about) {
  const help = $("help").content.cloneNode(true);
  $("details").replaceChildren(...(about?.step ? ofBox(about) : about ? ofSection(about) : [help]));
}

const ofSection = ({ section }) =>
  [tag("h2", section.title || "Section"), totals(section.boxes.flat(), section.size)];

function ofBox({ section, name, words, first, step, repeats, count: length, closed }) {
  const starts = Array.from({ length: repeats }, (_, i) => first + i * step);
  const copies = starts.map((start) => section.boxes.slice(start, start + length).flat());
  const where = [section.title, name].filter(Boolean).join(", ");
  const [title, ...below] = (closed ? [where, words] : [words, where]).filter(Boolean);
  const parts = [tag("h2", title), ...below.map((line) => tag("p", line)), totals(copies.flat())];
  if (closed) return parts;
  if (repeats > 1) parts.push(tag("p", `${repeats} times; of each:`));
  copies[0].forEach(([layer, [output, weights, parameters, macs]], i) => {
    const terms = [["output", output || "several"]];
    for (const [weight, sizes] of Object.entries(weights)) terms.push([weight, sizes.join("×") || "scalar"]);
    if (parameters) terms.push(["parameters", count(parameters)]);
    if (macs !== 0) terms.push(["multiply-adds", count(macs)]);
    parts.push(tag("h3", repeats > 1 ? `${layer} … ${copies.at(-1)[i][0]}` : layer), list(terms));
  });
  return parts;
}

// Zoom -------------------------------------------------------------------------------------------

const LEAST = 0.05, MOST = 8, LEGIBLE = 0.65, PAD = 12, SLACK = 4;

function scaleTo(scale) {
  size.scale = clamp(LEAST, scale, MOST);
  svg.setAttribute("width", size.width * size.scale);
  svg.setAttribute("height", size.height * size.scale);
  $("fit").textContent = `${Math.round(size.scale * 100)}%`;
}

// Fit the width, as long as the words can be read, until the user zooms.
function fit() {
  size.fitted = true;
  scaleTo(clamp(LEGIBLE, (view.clientWidth - 2 * PAD) / size.width, 1.25));
}

// Zoom around a point of the view, by default its middle.
function zoom(by, x = view.clientWidth / 2, y = view.clientHeight / 2) {
  const before = size.scale;
  size.fitted = false;
  scaleTo(before * by);
  view.scrollLeft = (view.scrollLeft + x - PAD) * (size.scale / before) - x + PAD;
  view.scrollTop = (view.scrollTop + y - PAD) * (size.scale / before) - y + PAD;
}

addEventListener("resize", () => size.fitted && fit());
view.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const { left, top } = view.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 400), event.clientX - left, event.clientY - top);
}, { passive: false });

// A mouse drags the drawing; fingers scroll by themselves. A click is no drag of a few pixels.
let grip = null;
view.addEventListener("pointerdown", ({ pointerType, button, clientX: x, clientY: y }) => {
  if (pointerType !== "mouse" || button) return;
  grip = { at: [x, y], left: view.scrollLeft + x, top: view.scrollTop + y };
});
view.addEventListener("pointermove", ({ pointerId, buttons, clientX: x, clientY: y }) => {
  if (buttons !== 1) grip = null;
  if (!grip || (!view.hasPointerCapture(pointerId) && distance(grip.at, [x, y]) < SLACK)) return;
  view.setPointerCapture(pointerId);
  view.classList.add("dragged");
  view.scrollTo(grip.left - x, grip.top - y);
});
view.addEventListener("lostpointercapture", () => view.classList.remove("dragged"));

// Search -----------------------------------------------------------------------------------------

const SHOWN = 12, query = $("query"), results = $("found");
const names = sections.flatMap((section) =>
  section.boxes.flatMap((box, number) => box.map(([name]) => ({ name, section, number }))));

function search() {
  const wanted = query.value.trim().toLowerCase();
  const found = wanted ? names.filter(({ name }) => name.toLowerCase().includes(wanted)) : [];
  const items = found.slice(0, SHOWN).map((hit) => {
    const network = data.networks.length > 1 ? `${hit.section.network.name}: ` : "";
    const button = tag("button", network + hit.name);
    button.addEventListener("click", () => show(hit));
    return button;
  });
  if (found.length > SHOWN) items.push(tag("p", `and ${count(found.length - SHOWN)} more`));
  results.replaceChildren(...(items.length ? items : [tag("p", "no such layer")]));
  results.hidden = !wanted;
}

// Unfold as far as the layer's box is drawn on its own, and focus it.
function show({ section, number }) {
  results.hidden = true;
  const { repeats } = contents(section, FOLDED).findLast(({ first }) => first <= number);
  change((state, row) => (row === section.row ? Math.max(state, repeats > 1 ? WHOLE : FOLDED) : state));
  focusOn(section, number, "center");
}

function choose(by) {
  const stops = [query, ...results.querySelectorAll("button")];
  stops[stops.indexOf(document.activeElement) + by]?.focus();
}

for (const event of ["input", "focus"]) query.addEventListener(event, search);
document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest("#search")) results.hidden = true;
});

// Light and dark ---------------------------------------------------------------------------------

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", dark);
}

prefersDark.addEventListener("change", (event) => setTheme(event.matches));

// Keys and buttons -------------------------------------------------------------------------------

const KEYS = {
  "1": () => change(() => CLOSED), "2": () => change(() => FOLDED), "3": () => change(() => WHOLE),
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(1 / 1.25), "0": fit,
  "/": () => query.focus(), d: () => setTheme(document.documentElement.dataset.theme !== "dark"),
};
const KEYS_OF_DRAWING = {
  ArrowDown: () => step(1), ArrowRight: () => step(1), ArrowUp: () => step(-1), ArrowLeft: () => step(-1),
  Home: () => step(-Infinity), End: () => step(Infinity),
  Enter: () => unfold(focused(), 1), " ": () => unfold(focused(), 1), Backspace: () => unfold(focused(), -1),
};
const KEYS_OF_SEARCH = {
  ArrowDown: () => choose(1), ArrowUp: () => choose(-1),
  Escape: () => { results.hidden = true; query.blur(); },
  Enter: () => (results.querySelector(":focus") ?? results.querySelector("button"))?.click(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const ofDrawing = svg.contains(event.target) ? KEYS_OF_DRAWING : {};
  const keys = event.target.closest("#search") ? KEYS_OF_SEARCH : { ...KEYS, ...ofDrawing };
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
for (const button of document.querySelectorAll("header [aria-keyshortcuts]")) {
  button.addEventListener("click", KEYS[button.getAttribute("aria-keyshortcuts")]);
}

setTheme(prefersDark.matches);
arrange();
tell();
