"use strict";
// Draws the data of data.py, in which a section of a network has up to three views: closed, folded
// and with every block. A section's state is the number of its view; networks side by side share it.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const svg = $("drawing"), view = $("view");
  const CLOSED = 0, FOLDED = 1, WHOLE = 2;
  const { TITLE, GAP, ROW, MARGIN, HEADING, CORNER, ARROW, FONT, TRACK } = data.sizes;

  // Elements -------------------------------------------------------------------------------------

  function element(name, attributes = {}, ...children) {
    // The namespace is the drawing's own, so that no address is written here.
    const made = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function tag(name, text, ...children) {
    const made = document.createElement(name);
    made.append(text, ...children);
    return made;
  }

  const roleClass = (role) => role.replace(" ", "-") || "flow";

  function points(flat) {
    const pairs = [];
    for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]]);
    return pairs;
  }

  const distance = ([a, b], [c, d]) => Math.hypot(a - c, b - d);

  function towards(from, to, length) {
    const part = length / (distance(from, to) || 1);
    return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
  }

  function withoutRepeats(route) {
    const kept = [];
    for (const point of route) {
      const [before, last] = kept.slice(-2).length === 2 ? kept.slice(-2) : [null, kept[0]];
      if (last && distance(last, point) < 0.05) continue;
      if (before && [0, 1].some((i) => before[i] === last[i] && last[i] === point[i])) kept.pop();
      kept.push(point);
    }
    return kept;
  }

  function line(role, arrow, corners) {
    const route = withoutRepeats(corners);
    if (route.length < 2) return [];
    const name = roleClass(role), end = route.at(-1);
    const parts = [];
    if (arrow) {
      const base = towards(end, route.at(-2), ARROW);
      const [x, y] = [(end[0] - base[0]) * 0.4, (end[1] - base[1]) * 0.4];
      const sides = [[base[0] - y, base[1] + x], [base[0] + y, base[1] - x]];
      parts.push(element("path", { class: `tip ${name}`, d: `M${end}L${sides[0]}L${sides[1]}Z` }));
      route[route.length - 1] = base;
    }
    let d = `M${route[0]}`;
    for (let i = 1; i < route.length - 1; i++) {
      const [before, corner, after] = route.slice(i - 1, i + 2);
      const radius = Math.min(CORNER, distance(before, corner) / 2, distance(corner, after) / 2);
      d += `L${towards(corner, before, radius)}Q${corner} ${towards(corner, after, radius)}`;
    }
    parts.unshift(element("path", { class: `line ${name}`, d: `${d}L${route.at(-1)}` }));
    return parts;
  }

  function text(x, y, words, size, { bold, role, marked, anchor } = {}) {
    const made = element("text", { x, y, "font-size": size }, words);
    if (bold) made.setAttribute("font-weight", "bold");
    if (anchor) made.setAttribute("text-anchor", anchor);
    made.setAttribute("class", `${role ? `role ${roleClass(role)}` : ""}${marked ? " underlined" : ""}`);
    return made;
  }

  function rectangle(kind, x, y, width, height, radius) {
    return element("rect", { class: kind, x, y, width, height, rx: radius });
  }

  // Sections -------------------------------------------------------------------------------------

  // For each section, the layers of every box of the whole network: [name, number of its facts].
  for (const [n, network] of data.networks.entries()) {
    for (const [row, section] of network.sections.entries()) {
      section.network = n;
      section.row = row;
      section.drawn = [];
      section.boxes = section.layers.flatMap(([set, beginning]) =>
        data.layers[set].map((box) => box.map(([rest, fact]) => [beginning + rest, data.facts[fact]])),
      );
    }
  }
  const rows = Math.max(...data.networks.map((network) => network.sections.length));
  const states = Array(rows).fill(data.state);
  const inRow = (row) => data.networks.map((network) => network.sections[row]).filter(Boolean);
  const mostOpen = (row) => Math.max(...inRow(row).map((section) => section.views.length - 1));
  const stateOf = (section) => Math.min(states[section.row], section.views.length - 1);
  const title = (section) => section.heading[0]?.[0] ?? "";

  // The boxes of the whole network that a box or a panel stands for: `count` from `first` on, and
  // again after every `step`, `repeats` times.
  function ranges(section, state) {
    let first = 0;
    return section.views[Math.max(state, FOLDED)].panels.map(([drawing, , , , repeats]) => {
      const step = data.drawings[drawing][2].length;
      const range = { first, step, repeats, count: step };
      first += step * repeats;
      return range;
    });
  }

  function drawSection(section, state) {
    const { panels, links } = section.views[state];
    const group = element("g");
    group.lane = rectangle("lane", 0, 0, 0, 0, 8);
    group.append(group.lane, drawHeading(section));
    const covered = ranges(section, state);
    panels.forEach((panel, number) => group.append(drawPanel(section, state, panel, covered[number])));
    for (const [arrow, ...flat] of links) group.append(...line("", arrow, points(flat)));
    return group;
  }

  function drawHeading(section) {
    const group = element("g", { class: "heading", role: "button", tabindex: -1 });
    group.about = { section };
    let y = MARGIN;
    for (const [words, size, bold, marked] of section.heading) {
      y += size * 1.25;
      group.append(text(MARGIN, y - size * 0.25, words, size, { bold, marked }));
    }
    group.prepend(rectangle("ring", 4, 6, HEADING, y, 5));
    group.setAttribute("aria-label", section.heading.map(([words]) => words).join(", "));
    const parts = element("g", {}, group);
    for (const [sign, by, x] of [["−", -1, HEADING - 24], ["+", 1, HEADING - 5]]) {
      const button = element("g", { class: "sign", transform: `translate(${x},12)` },
        element("title", {}, by > 0 ? "Unfold" : "Fold"),
        rectangle("", 0, 0, 16, 16, 3), text(8, 12.5, sign, 13, { anchor: "middle" }));
      button.addEventListener("click", () => change(section.row, by));
      button.by = by;
      parts.append(button);
    }
    return parts;
  }

  function drawPanel(section, state, [number, x, y, name, repeats], range) {
    const [frames, texts, boxes, forks, lines] = data.drawings[number];
    const group = element("g", { transform: `translate(${x},${y})` });
    for (const [kind, ...place] of frames) group.append(rectangle(kind, ...place, 6));
    for (const [left, top, words, size, bold, role, marked] of texts) {
      const made = text(left, top + size, words === "{}" ? name : words, size, { bold, role, marked });
      if (bold) {
        made.classList.add("times");
        made.addEventListener("click", () => change(section.row, 1));
      }
      group.append(made);
    }
    boxes.forEach((box, k) => {
      const part = state === CLOSED ? range : { ...range, first: range.first + k, count: 1 };
      group.append(drawBox(section, box, { section, name, ...part, closed: state === CLOSED }));
    });
    for (const [role, arrow, ...flat] of lines) group.append(...line(role, arrow, points(flat)));
    for (const [cx, cy] of forks) group.append(element("circle", { class: "fork flow", cx, cy, r: 1.8 }));
    return group;
  }

  function drawBox(section, [x, middle, cells], about) {
    const words = cells.map((cell) => cell[2]).join(", ");
    const group = element("g", {
      class: "box", role: "button", tabindex: -1,
      "aria-label": [title(section), about.closed ? "" : about.name, words].filter(Boolean).join(", "),
    });
    group.about = { ...about, words };
    let left = x;
    for (const [kind, width, part, marked] of cells) {
      group.append(rectangle(`cell ${kind}${marked ? " marked" : ""}`, left, middle - ROW / 2, width, ROW, 0));
      group.append(text(left + width / 2, middle + FONT * 0.36, part, FONT, { anchor: "middle" }));
      left += width;
    }
    group.append(rectangle("ring", x - 2, middle - ROW / 2 - 2, left - x + 4, ROW + 4, 3));
    return group;
  }

  // The page -------------------------------------------------------------------------------------

  const size = { width: 0, height: 0, scale: 1, fitted: true };

  function arrange() {
    const heights = states.map((_, row) =>
      Math.max(...inRow(row).map((section) => section.views[stateOf(section)].size[1])));
    const tops = [TITLE];
    heights.forEach((height, row) => tops.push(tops[row] + height + GAP));
    svg.replaceChildren();
    let left = 0;
    for (const network of data.networks) {
      const width = drawNetwork(network, tops, heights, left);
      left += width + 2 * GAP;
    }
    size.width = left - 2 * GAP + 6;
    size.height = tops[rows] + 2;
    if (data.note) {
      svg.append(text(0, size.height + 14, data.note, 13));
      size.height += 30;
    }
    svg.classList.toggle("one-page", size.height < 2.5 * size.width);
    svg.setAttribute("viewBox", `-2 0 ${size.width} ${size.height}`);
    for (const button of document.querySelectorAll("[data-state]")) {
      const all = states.every((state, row) => Math.min(+button.dataset.state, mostOpen(row)) === Math.min(state, mostOpen(row)));
      button.setAttribute("aria-pressed", all);
    }
    if (size.fitted) fit(); else resize();
    rove();
  }

  function drawNetwork(network, tops, heights, left) {
    const group = element("g", { transform: `translate(${left},0)` });
    const heading = text(0, 17, network.name, 16, { bold: true });
    for (const [words, marked] of network.totals) {
      const total = element("tspan", { "font-size": 13, "font-weight": "normal", dx: 12 }, words);
      if (marked) total.setAttribute("class", "underlined");
      heading.append(total);
    }
    group.append(heading);
    svg.append(group);
    const views = network.sections.map((section) => section.views[stateOf(section)]);
    const width = Math.max(heading.getComputedTextLength(), ...views.map((view) => view.size[0]));
    network.sections.forEach((section, row) => {
      const state = stateOf(section);
      const drawn = (section.drawn[state] ??= drawSection(section, state));
      drawn.setAttribute("transform", `translate(0,${tops[row]})`);
      drawn.lane.setAttribute("width", width);
      drawn.lane.setAttribute("height", heights[row]);
      drawn.querySelector(".heading").setAttribute("aria-expanded", state > CLOSED);
      for (const sign of drawn.querySelectorAll(".sign")) {
        const next = state + sign.by;
        sign.classList.toggle("off", next < CLOSED || next > mostOpen(row));
      }
      group.append(drawn);
      if (row && views[row].entry) group.append(...between(views[row - 1], tops[row - 1], views[row], tops[row]));
    });
    return drawSkips(group, network, views, tops, width);
  }

  // The lines of skips, along the right side of the sections. Returns the width with them.
  function drawSkips(group, network, views, tops, width) {
    const tracks = new Map(network.tracks), starts = new Map();
    const side = (skip) => width + TRACK * (1 + tracks.get(skip));
    const moved = (flat, top) => points(flat).map(([x, y]) => [x, y + top]);
    views.forEach((view, row) => {
      for (const [skip, ...flat] of view.inlets) {
        const start = starts.get(skip), end = moved(flat, tops[row]);
        start.at(-1)[0] = end[0][0] = side(skip);
        group.append(...line("skip", true, [...start, ...end]));
      }
      for (const [skip, onLine, ...flat] of view.outlets) {
        starts.set(skip, moved(flat, tops[row]));
        const [cx, cy] = starts.get(skip)[0];
        if (onLine) group.append(element("circle", { class: "fork flow", cx, cy, r: 1.8 }));
      }
    });
    return Math.max(width, ...Array.from(tracks.keys(), (skip) => side(skip) + TRACK));
  }

  // The line from one section to the next, as `route_between` of lines.py has it.
  function between(above, aboveTop, below, belowTop) {
    const [arrow, ...entry] = below.entry, middle = belowTop - GAP / 2;
    const start = points(above.exit).map(([x, y]) => [x, y + aboveTop]);
    const end = points(entry).map(([x, y]) => [x, y + belowTop]);
    return line("", arrow, [...start, [start.at(-1)[0], middle], [end[0][0], middle], ...end]);
  }

  // States -----------------------------------------------------------------------------------------

  function setState(row, state) {
    states[row] = Math.max(CLOSED, Math.min(state, mostOpen(row)));
  }

  function change(row, by) {
    const about = document.activeElement?.about;
    setState(row, Math.min(states[row], mostOpen(row)) + by);
    arrange();
    if (about) focusOn(about.section, about.first);
  }

  function setAll(state) {
    const about = document.activeElement?.about;
    states.forEach((_, row) => setState(row, state));
    arrange();
    if (about) focusOn(about.section, about.first);
  }

  // Focus ------------------------------------------------------------------------------------------

  const stops = () => [...svg.querySelectorAll(".heading, .box")];
  let current = null;

  // One stop of the Tab key for the whole drawing; the arrow keys go on from there.
  function rove(stop) {
    current?.setAttribute("tabindex", -1);
    current = stop ?? (current?.isConnected ? current : svg.querySelector(".heading"));
    current?.setAttribute("tabindex", 0);
  }

  function covers(about, box) {
    const from = box - about.first, whole = about.step * about.repeats;
    return from >= 0 && from < (about.closed ? whole : whole - about.step + 1) &&
      (about.closed || from % about.step === 0);
  }

  // Focus the box that stands for a box of the whole network, or the section's heading.
  function focusOn(section, box, block = "nearest") {
    const all = [...section.drawn[stateOf(section)].querySelectorAll(".heading, .box")];
    const found = box === undefined ? all[0] : all.find((g) => g.about.step && covers(g.about, box));
    reveal(found ?? all[0], block);
  }

  function reveal(stop, block = "nearest") {
    stop.focus({ preventScroll: true });
    stop.scrollIntoView({ block, inline: "nearest" });
  }

  function step(by) {
    const all = stops(), at = all.indexOf(document.activeElement);
    reveal(all[Math.max(0, Math.min(all.length - 1, at + by))]);
  }

  svg.addEventListener("focusin", (event) => {
    const stop = event.target.closest(".heading, .box");
    if (!stop) return;
    rove(stop);
    tell(stop.about);
  });
  svg.addEventListener("pointerover", (event) => {
    const stop = event.target.closest(".heading, .box");
    if (stop) tell(stop.about);
  });
  svg.addEventListener("pointerleave", () => tell(document.activeElement?.about));
  svg.addEventListener("dblclick", (event) => {
    const about = event.target.closest(".heading, .box")?.about;
    if (about) change(about.section.row, 1);
  });

  // Details ----------------------------------------------------------------------------------------

  const count = (number) => (number === null ? "?" : number.toLocaleString("en"));
  const sum = (facts, field) =>
    facts.reduce((total, fact) => (total === null || fact[field] === null ? null : total + fact[field]), 0);
  const shape = (words) => words || "several";

  function list(...terms) {
    const made = document.createElement("dl");
    for (const [term, value] of terms) made.append(tag("dt", term), tag("dd", value));
    return made;
  }

  function tell(about) {
    const parts = !about ? help() : about.step === undefined ? ofSection(about.section) : ofBox(about);
    $("details").replaceChildren(...parts);
  }

  function help() {
    const key = (name) => tag("kbd", name);
    const line = (...parts) => tag("p", "", ...parts);
    return [
      tag("h2", data.networks.map((network) => network.name).join(", ")),
      line("Point at a box, or go to it with ", key("Tab"), " and the arrow keys, to read its shape, parameters, multiply-adds and weights."),
      line(key("Enter"), " unfolds a stage, ", key("Backspace"), " folds it. ", key("1"), " ", key("2"), " ", key("3"), " draw all stages closed, equal blocks once, or every block."),
      line(key("/"), " finds a layer. ", key("+"), " ", key("−"), " ", key("0"), " zoom, as ", key("Ctrl"), " and the wheel do; drag to move. ", key("d"), " is for dark."),
      line("Solid blue: an identity shortcut. Dashed blue: resized without weights. Dashed red: a projection. Green: a skip past other sections."),
    ];
  }

  function ofSection(section) {
    const layers = section.boxes.flat();
    return [
      tag("h2", title(section) || "Section"),
      list(
        ["output", shape(section.size)],
        ["parameters", count(sum(layers.map(([, fact]) => fact), 2))],
        ["multiply-adds", count(sum(layers.map(([, fact]) => fact), 3))],
        ["layers", count(layers.length)],
      ),
    ];
  }

  function ofBox({ section, name, words, first, step, repeats, count: length, closed }) {
    const starts = Array.from({ length: repeats }, (_, i) => first + i * step);
    const copies = starts.map((start) => section.boxes.slice(start, start + length).flat());
    const facts = copies.flat().map(([, fact]) => fact);
    const where = [title(section), name].filter(Boolean).join(", ");
    const parts = [
      tag("h2", closed ? where : words),
      ...(closed ? [tag("p", words)] : where ? [tag("p", where)] : []),
      list(
        ["output", shape(copies.at(-1).at(-1)?.[1][0])],
        ["parameters", count(sum(facts, 2))],
        ["multiply-adds", count(sum(facts, 3))],
        ["layers", count(facts.length)],
      ),
    ];
    if (closed) return parts;
    if (repeats > 1) parts.push(tag("p", `${repeats} times; of each:`));
    copies[0].forEach(([layer, [output, weights, parameters, macs]], i) => {
      const last = copies.at(-1)[i][0];
      parts.push(tag("h3", repeats > 1 ? `${layer} … ${last}` : layer));
      const terms = [["output", shape(output)]];
      for (const [weight, sizes] of Object.entries(weights)) terms.push([weight, sizes.join("×") || "scalar"]);
      if (parameters) terms.push(["parameters", count(parameters)]);
      if (macs !== 0) terms.push(["multiply-adds", count(macs)]);
      parts.push(list(...terms));
    });
    return parts;
  }

  // Zoom -------------------------------------------------------------------------------------------

  const LEAST = 0.05, MOST = 8, LEGIBLE = 0.65;

  // Zoom around a point of the window, by default the middle of the view.
  function zoom(scale, x, y) {
    const area = view.getBoundingClientRect();
    x = (x ?? area.left + area.width / 2) - area.left;
    y = (y ?? area.top + area.height / 2) - area.top;
    const before = size.scale;
    size.fitted = false;
    size.scale = Math.max(LEAST, Math.min(MOST, scale));
    resize();
    const grown = size.scale / before, pad = 12;
    view.scrollLeft = (view.scrollLeft + x - pad) * grown - x + pad;
    view.scrollTop = (view.scrollTop + y - pad) * grown - y + pad;
  }

  function resize() {
    svg.setAttribute("width", size.width * size.scale);
    svg.setAttribute("height", size.height * size.scale);
    $("fit").textContent = `${Math.round(size.scale * 100)}%`;
  }

  // Fit the width, as long as the words can be read, until the user zooms.
  function fit() {
    size.fitted = true;
    size.scale = Math.max(LEGIBLE, Math.min(1.25, (view.clientWidth - 24) / size.width));
    resize();
  }

  addEventListener("resize", () => size.fitted && fit());

  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(size.scale * Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }, { passive: false });

  // A mouse drags the drawing; fingers scroll by themselves. A click is no drag of a few pixels.
  const SLACK = 4;
  let grip = null;
  view.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button) return;
    grip = { at: [event.clientX, event.clientY], from: [view.scrollLeft, view.scrollTop] };
  });
  view.addEventListener("pointermove", (event) => {
    if (!grip || (!grip.moves && distance(grip.at, [event.clientX, event.clientY]) < SLACK)) return;
    if (!grip.moves) view.setPointerCapture(event.pointerId);
    grip.moves = true;
    view.classList.add("dragged");
    view.scrollTo(grip.from[0] + grip.at[0] - event.clientX, grip.from[1] + grip.at[1] - event.clientY);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    view.addEventListener(end, () => {
      grip = null;
      view.classList.remove("dragged");
    });
  }

  // Search -----------------------------------------------------------------------------------------

  const SHOWN = 12;
  let names = null;

  function search(words) {
    names ??= data.networks.flatMap((network) => network.sections).flatMap((section) =>
      section.boxes.flatMap((box, number) => box.map(([name]) => ({ name, low: name.toLowerCase(), section, number }))));
    const wanted = words.trim().toLowerCase();
    return wanted ? names.filter(({ low }) => low.includes(wanted)) : [];
  }

  function show() {
    const found = search($("query").value), many = data.networks.length > 1;
    const items = found.slice(0, SHOWN).map((hit) => {
      const button = tag("button", many ? `${data.networks[hit.section.network].name}: ${hit.name}` : hit.name);
      button.type = "button";
      button.addEventListener("click", () => go(hit));
      return button;
    });
    const more = found.length > SHOWN ? `and ${count(found.length - SHOWN)} more` : found.length ? "" : "no such layer";
    $("found").replaceChildren(...items, ...(more ? [tag("p", more)] : []));
    $("found").hidden = !$("query").value.trim();
  }

  // Unfold as far as the layer's box is drawn on its own, and focus it.
  function go({ section, number }) {
    $("found").hidden = true;
    const folded = ranges(section, FOLDED).find(({ first, step, repeats }) => number < first + step * repeats);
    setState(section.row, Math.max(states[section.row], folded.repeats > 1 ? WHOLE : FOLDED));
    arrange();
    focusOn(section, number, "center");
  }

  $("query").addEventListener("input", show);
  $("query").addEventListener("focus", show);
  $("search").addEventListener("keydown", (event) => {
    const items = [...$("found").querySelectorAll("button")];
    const at = items.indexOf(document.activeElement);
    if (event.key === "Escape") {
      $("found").hidden = true;
      $("query").blur();
    } else if (event.key === "Enter" && at < 0) {
      items[0]?.click();
    } else if (event.key === "ArrowDown") {
      items[at + 1]?.focus();
    } else if (event.key === "ArrowUp") {
      (items[at - 1] ?? $("query")).focus();
    } else return;
    event.preventDefault();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("#search")) $("found").hidden = true;
  });

  // Light and dark ---------------------------------------------------------------------------------

  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  function setTheme(dark) {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    $("theme").setAttribute("aria-pressed", dark);
  }

  const toggleTheme = () => setTheme(document.documentElement.dataset.theme !== "dark");
  prefersDark.addEventListener("change", (event) => setTheme(event.matches));

  // Keys and buttons -------------------------------------------------------------------------------

  const all = (state) => () => setAll(state);
  const unfold = (by) => () => {
    const about = document.activeElement?.about;
    if (about) change(about.section.row, by);
  };
  const KEYS = {
    "1": all(CLOSED), "2": all(FOLDED), "3": all(WHOLE),
    "+": () => zoom(size.scale * 1.25), "=": () => zoom(size.scale * 1.25),
    "-": () => zoom(size.scale / 1.25), "0": () => fit(),
    "/": () => $("query").focus(), d: toggleTheme,
  };
  const KEYS_OF_DRAWING = {
    ArrowDown: () => step(1), ArrowRight: () => step(1), ArrowUp: () => step(-1), ArrowLeft: () => step(-1),
    Home: () => step(-Infinity), End: () => step(Infinity),
    Enter: unfold(1), " ": unfold(1), Backspace: unfold(-1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input")) return;
    const action = (svg.contains(event.target) && KEYS_OF_DRAWING[event.key]) || KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  for (const button of document.querySelectorAll("[data-state]")) {
    button.addEventListener("click", all(+button.dataset.state));
  }
  $("in").addEventListener("click", KEYS["+"]);
  $("out").addEventListener("click", KEYS["-"]);
  $("fit").addEventListener("click", () => fit());
  $("theme").addEventListener("click", toggleTheme);

  setTheme(prefersDark.matches);
  arrange();
  tell();
})();
