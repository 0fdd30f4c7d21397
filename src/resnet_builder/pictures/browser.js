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

// The words of headings, in the language of the page.
const spoken = (words) =>
  words.replace(/^(.+) (parameters|multiply-adds)$/, (_, number, unit) => say(`{} ${unit}`, number));

// Words in a style: their size, whether they are bold, the role of a shortcut, whether marked.
function styled(name, [words, size, bold, role, marked], place = {}) {
  const style = [bold && "bold", role && `role ${role}`, marked && "underlined"].filter(Boolean).join(" ");
  return element(name, { ...place, class: style, "font-size": size }, spoken(words));
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

const NUMBERS = /0|[1-9]\d{0,8}/g;

// The value so many steps after the first, as the second one is one step after it: see browser.py.
function continued(first, second, steps) {
  if (Array.isArray(first)) return first.map((one, i) => continued(one, second[i], steps));
  if (typeof first === "number") return first + (second - first) * steps;
  if (typeof first !== "string") return first;
  const later = second.match(NUMBERS) ?? [];
  return first.replace(NUMBERS, (number) => continued(+number, +(later.shift() ?? 0), steps));
}

const spread = (runs) => runs.flatMap(([count, first, second = first]) =>
  Array.from({ length: count }, (_, i) => continued(first, second, i)).flat());

// A layer of the whole network, with its tensors in each library: see SharedData of browser.py.
function layerOf([rest, number, field, tensors], beginning, base, prefixes) {
  const [output, weights, parameters, macs, input, settings, stride, kept] = data.facts[number];
  const named = data.tensors[tensors]?.map((rests, i) => rests.map((one) => prefixes[i] + one)) ?? [];
  return {
    name: beginning + rest, output, weights, parameters, macs, input, stride, kept, tensors: named,
    settings: data.settings[settings], field: field === null ? null : base + field,
  };
}

// For each section, the layers of every box of the whole network, and the numbers of their insides.
const sections = data.networks.flatMap((network) => network.sections.map((section, row) => {
  for (const part of section.views) for (const kind of ["panels", "lines"]) part[kind] = spread(part[kind]);
  const panels = spread(section.layers).map(([set, beginning, base, ...prefixes]) => data.layers[set].map(
    ([layers, inside]) => [layers.map((layer) => layerOf(layer, beginning, base, prefixes)), inside]));
  const [boxes, insides] = [0, 1].map((i) => panels.flat().map((box) => box[i]));
  const title = section.heading[0]?.[2][0] ?? "";
  return Object.assign(section, { network, row, boxes, insides, drawn: [], title });
}));
const mostOpen = [];
for (const { row, views } of sections) mostOpen[row] = Math.max(mostOpen[row] ?? 0, views.length - 1);
// A narrow window has no room for two blocks side by side.
const begin = data.state === FOLDED && innerWidth < 700 ? CLOSED : data.state;
const states = mostOpen.map((most) => Math.min(begin, most));
const stateOf = (section) => Math.min(states[section.row], section.views.length - 1);
const viewOf = (section) => section.views[stateOf(section)];

// What each panel stands for: `count` boxes of the whole network from `first` on, and again after
// every `step`, `repeats` times. The boxes of a closed section are those of folded panels. `block` is
// the name of a block that can be removed: it has a shortcut, or its output has its input's shape.
function contents(section, state) {
  let next = 0;
  return section.views[Math.max(state, FOLDED)].panels.map(([drawing, , , name, repeats]) => {
    const [, , { length: step }, , lines] = data.drawings[drawing], first = next;
    next += step * repeats;
    const layers = section.boxes.slice(first, next).flat();
    const bypass = lines.some(([role]) => role) || layers[0]?.input === layers.at(-1)?.output;
    const block = /^block\d+$/.test(name) && bypass && `${section.title}_${name}`;
    return { section, name, block, first, step, repeats, count: step, closed: state === CLOSED };
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
  const label = section.heading.map(([, , [words]]) => spoken(words)).join(", ");
  const group = control("heading", label, { section }, { "aria-expanded": state > CLOSED });
  group.append(rectangle("ring", 4, 6, HEADING_WIDTH, HEADING_HEIGHT + 6, 5));
  for (const place of section.heading) group.append(text(...place), " ");
  const parts = element("g", {}, group);
  for (const by of [-1, 1]) {
    if (state + by < CLOSED || state + by > mostOpen[section.row]) continue;
    const [sign, what, x] = by > 0 ? ["+", "Unfold", HEADING_WIDTH - 5] : ["−", "Fold", HEADING_WIDTH - 24];
    const button = element("g", { class: "sign", transform: `translate(${x},12)` },
      element("title", {}, say(what)), rectangle("reach", by > 0 ? -2 : -20, -8, by > 0 ? 22 : 37, 37, 0),
      rectangle("", 0, 0, 16, 16, 3), text(8, -0.5, [sign, 13]));
    button.addEventListener("click", () => unfold(group.about, by));
    parts.append(button);
  }
  return parts;
}

function drawPanel([number, x, y, name], top, about) {
  const group = element("g", { class: "block", transform: `translate(${x},${y - top})` });
  drawParts(group, data.drawings[number], name, about.repeats > 1 ? " pile" : "", (k) => {
    const first = about.first + k;
    return about.closed ? about : { ...about, first, count: 1, inside: about.section.insides[first] };
  });
  for (const part of group.querySelectorAll(".pile, .bold")) part.addEventListener("click", () => unfold(about, 1));
  return group;
}

// Draw a panel into a group, which then knows its boxes, and its lines with the boxes at their ends.
function drawParts(group, [frames, texts, boxes, forks, lines], name, pile, aboutBox) {
  for (const [kind, ...place] of frames) group.append(rectangle(kind + pile, ...place, 6));
  for (const [left, above, [words, ...style]] of texts)
    group.append(text(left, above, [words === "{}" ? name : words, ...style]));
  group.boxes = boxes.map((box, k) => drawBox(box, aboutBox(k)));
  group.lines = lines.map(([role, arrow, way, ...ends]) =>
    Object.assign(element("g", {}, ...line(role, arrow, way)), { ends }));
  group.append(...group.boxes, ...group.lines, ...forks.map(fork));
}

const wordsOf = (cells) => cells.map((cell) => data.cells[cell][2]).join(", ");

function drawBox([x, middle, cells], about) {
  const words = wordsOf(cells), opens = (about.inside ?? null) !== null;
  const label = [about.section.title, about.closed ? "" : about.name, words].filter(Boolean).join(", ");
  const group = control("box", label, { ...about, words }, opens ? { "aria-expanded": false } : {});
  let left = x;
  for (const [kind, width, part, marked] of cells.map((cell) => data.cells[cell])) {
    group.append(rectangle(`cell ${kind}${marked ? " marked" : ""}`, left, middle - ROW / 2, width, ROW, 0));
    group.append(text(left + width / 2, middle - FONT_SIZE * 0.64, [part, FONT_SIZE]), " ");
    left += width;
  }
  if (opens) group.append(element("path", { class: "corner", d: `M${left},${middle + ROW / 2}h-8l8,-8z` }));
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
  closeInside();
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
  if (size.fitted) fit();
  resize(size.width, size.height);
  for (const button of document.querySelectorAll("[data-state]")) {
    const state = +button.dataset.state;
    button.hidden = state > Math.max(...mostOpen);
    button.setAttribute("aria-pressed", states.every((one, row) => one === Math.min(state, mostOpen[row])));
  }
  paint();
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

// A heading unfolds its section until every block is drawn, and then closes it; a box unfolds it, or
// shows its inside.
function turn(stop) {
  const { section, step, inside = null } = stop.about;
  if (inside !== null) openInside(stop);
  else unfold({ section }, step || states[section.row] < mostOpen[section.row] ? 1 : -WHOLE);
}

// Focus ------------------------------------------------------------------------------------------

let current = null;  // the stop of the Tab key

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
  const stops = [...(inset ?? svg).querySelectorAll(".heading, .box")];
  reveal(stops[clamp(0, stops.indexOf(document.activeElement) + by, stops.length - 1)]);
}

const stopOf = (event) => event.target.closest(".heading, .box");
svg.addEventListener("focusin", (event) => {
  const stop = stopOf(event);
  rove(stop);
  tell(focused());
  if (!stop) return;
  trace(stop);
  address(stop.about);
});
svg.addEventListener("pointerover", (event) => stopOf(event) && tell(stopOf(event).about));
svg.addEventListener("pointerleave", () => tell(focused()));
// A click on a box of an open section leaves its details shown, and opens the box if it has an inside.
svg.addEventListener("click", (event) => {
  const stop = stopOf(event);
  if (!event.target.closest(".inset") && stop !== inset?.opener) closeInside();
  if (stop?.hasAttribute("aria-expanded") || stop?.about.closed) turn(stop);
});
svg.addEventListener("dblclick", (event) => stopOf(event)?.about.step && unfold(stopOf(event).about, 1));

// Zoom -------------------------------------------------------------------------------------------

const LEAST = 0.05, MOST = 8, LEGIBLE = 0.75, PAD = 12, SLACK = 4;

function scaleTo(scale) {
  size.scale = clamp(LEAST, scale, MOST);
  svg.setAttribute("width", size.width * size.scale);
  svg.setAttribute("height", size.height * size.scale);
  $("fit").textContent = `${Math.round(size.scale * 100)}%`;
}

function resize(width, height) {
  Object.assign(size, { width, height });
  svg.setAttribute("viewBox", `-2 0 ${width} ${height}`);
  scaleTo(size.scale);
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

