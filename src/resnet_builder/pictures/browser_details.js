// Details ----------------------------------------------------------------------------------------

const count = (number) => (number === null ? "?" : number.toLocaleString("en"));

function bytes(number) {
  if (number === null) return "?";
  const [size, unit] = number < 2 ** 20 ? [2 ** 10, "KiB"] : [2 ** 20, "MiB"];
  return `${(number / size).toLocaleString("en", { maximumFractionDigits: 2 })} ${unit}`;
}

const TOTALS = { parameters: count, macs: count, kept: bytes };
const NAMES = { parameters: "parameters", macs: "multiply-adds", kept: "kept for training" };

const list = (terms) => tag("dl", ...terms.flatMap(([term, value]) => [tag("dt", say(term)), tag("dd", value)]));

// The sum of a field over layers; null if it is unknown of one.
const sum = (layers, field) => layers.reduce((total, { [field]: one }) =>
  total === null || one === null ? null : total + one, 0);

// What some layers cost together, and the output of the last one.
function totals(layers, output = layers.at(-1)?.output) {
  const costs = Object.keys(TOTALS).map((field) => [NAMES[field], TOTALS[field](sum(layers, field))]);
  if (sum(layers, "kept") === null) costs.pop();
  return list([["output", output || say("several")], ...costs, ["layers", count(layers.length)]]);
}

// A button that copies some words.
function copier(label, words) {
  const button = tag("button", say(label));
  Object.assign(button, { type: "button", className: "copy", ariaLabel: `${say("copy")} ${words}` });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(words);
    } catch {  // in a frame that may not
      const shown = button.parentNode.appendChild(tag("span", words));
      getSelection().selectAllChildren(shown);
      document.execCommand("copy");
      shown.remove();
    }
    button.textContent = "✓";
    setTimeout(() => (button.textContent = say(label)), 1500);
  });
  return button;
}

// Words with buttons that copy them and more; or the first and the last ones of several alike.
const named = (kind, words, last, ...more) => words === last
  ? tag(kind, tag("span", words), copier("copy", words), ...more) : tag(kind, `${words} … ${last}`);

function tell(about) {
  const [title, ...parts] = about?.step ? ofBox(about) : about ? ofSection(about) : help();
  if ($("told").textContent !== title) $("told").textContent = title;
  $("facts").replaceChildren(...parts);
}

function help() {
  const paragraphs = [...$("help").content.cloneNode(true).children];
  for (const one of paragraphs) one.innerHTML = say(one.innerHTML);
  return [document.title, ...paragraphs];
}

const ofSection = ({ section }) =>
  [section.title || say("Section"), totals(section.boxes.flat(), section.size)];

// The layers of a box, for each of several alike; `only` are those of a box inside it.
function copiesOf({ section, first, step, repeats, count: length, only }) {
  const starts = Array.from({ length: repeats }, (_, i) => first + i * step);
  const copies = starts.map((start) => section.boxes.slice(start, start + length).flat());
  return only ? copies.map((all) => only.map((layer) => all[layer])) : copies;
}

function ofBox(about) {
  const { section, name, block, words, repeats, closed } = about, copies = copiesOf(about);
  const where = [section.title, name].filter(Boolean).join(", ");
  const [title, ...below] = (closed ? [where, words] : [words, where]).filter(Boolean);
  const parts = [title, ...below.map((line) => tag("p", line))];
  if (copies.flat().length) parts.push(totals(copies.flat()));
  if (closed) return parts;
  if (block) {
    const code = `without_blocks(model, ["${block}"])`;
    parts.push(tag("p", say("Remove this block:"), " ", named("code", code, code)));
  }
  if (repeats > 1) parts.push(tag("p", say("{} times; of each:", repeats)));
  copies[0].forEach((layer, i) => {
    const last = copies.at(-1)[i];
    const code = copier("get_layer", `model.get_layer("${layer.name}")`);
    parts.push(named("h3", layer.name, last.name, code), ofLayer(layer, last));
    if (layer.tensors.length) parts.push(inLibraries(layer, last, section.network.libraries));
  });
  return parts;
}

function ofLayer(layer, last) {
  const { input, output, weights, settings, stride, parameters, macs, kept } = layer;
  const terms = [["input", input], ["output", output || say("several")]];
  for (const [name, words] of Object.entries(settings)) terms.push([name, say(words)]);
  if (layer.field) {
    const field = layer === last ? layer.field : `${layer.field} … ${last.field}`;
    terms.push(["receptive field", say("{} pixels", field)], ["stride of the map", say("{} pixels", stride)]);
  }
  for (const [name, sizes] of Object.entries(weights)) terms.push([name, sizes.join("×") || say("scalar")]);
  if (parameters) terms.push(["parameters", count(parameters)]);
  if (macs !== 0) terms.push(["multiply-adds", count(macs)]);
  if (kept) terms.push(["kept for training", bytes(kept)]);
  return list(terms.filter(([, words]) => words));
}

let showsNames = false;

// The names of a layer's weights in other libraries; they stay shown once they are.
function inLibraries({ tensors }, last, libraries) {
  const rows = tensors.flatMap((names, i) =>
    [tag("h4", libraries[i]), ...names.map((name, k) => named("p", name, last.tensors[i][k]))]);
  const fold = tag("details", tag("summary", say("Names in {}", libraries.join(", "))), ...rows);
  fold.open = showsNames;
  fold.addEventListener("toggle", () => (showsNames = fold.open));
  return fold;
}

// Paths and insides --------------------------------------------------------------------------------

// Of the boxes and lines of a block, dim those that are on no path through a box.
function trace(stop) {
  for (const part of svg.querySelectorAll(".off, .way")) part.classList.remove("off", "way");
  const block = stop.closest(".block, .inset"), box = block?.boxes.indexOf(stop);
  if (!block || block.boxes.length < 2) return;
  const reached = (from, to) => {
    const found = new Set([box]);
    for (let before = 0; before < found.size;) {
      before = found.size;
      for (const { ends } of block.lines) if (found.has(ends[from])) found.add(ends[to]);
    }
    return found;
  };
  const [before, after] = [reached(1, 0), reached(0, 1)];
  const [on, off] = [[], []];
  for (const part of block.lines) (before.has(part.ends[1]) || after.has(part.ends[0]) ? on : off).push(part);
  if (off.length) for (const part of on) part.classList.add("way");
  off.push(...block.boxes.filter((_, i) => !before.has(i) && !after.has(i)));
  for (const part of off) part.classList.add("off");
}

let inset = null;

function closeInside() {
  const opener = inset?.opener;
  inset?.remove();
  inset = null;
  opener?.setAttribute("aria-expanded", false);
  return opener;
}

// Draw the inside of a box below it, over what is there; of an open one, close it.
function openInside(stop) {
  if (closeInside() === stop) return reveal(stop);
  const { about } = stop, [drawing, layersOf] = data.insides[about.inside];
  inset = Object.assign(element("g", { class: "inset" }), { opener: stop });
  drawParts(inset, drawing, "", "", (k) => ({ ...about, only: layersOf[k], inside: null }));
  svg.append(inset);
  const area = inset.getBBox(), box = stop.getBBox(), edge = 10;
  const { e: left, f: top } = svg.getScreenCTM().inverse().multiply(stop.getScreenCTM());
  const [width, height] = [area.width + 2 * edge, area.height + 2 * edge];
  const x = clamp(0, left + box.x, Math.max(0, size.width - width - 6)), y = top + box.y + box.height + 3;
  inset.prepend(rectangle("panel", area.x - edge, area.y - edge, width, height, 6));
  inset.setAttribute("transform", `translate(${x - area.x + edge},${y - area.y + edge})`);
  stop.setAttribute("aria-expanded", true);
  // There may be less room in the drawing.
  resize(Math.max(size.width, x + width + 6), Math.max(size.height, y + height + 6));
  paint();
  inset.scrollIntoView({ block: "nearest", inline: "nearest" });
  reveal(inset.boxes[1]);
}
