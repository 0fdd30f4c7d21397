// Search -----------------------------------------------------------------------------------------

const SHOWN = 12, query = $("query"), results = $("found");
const plain = (words) => words.toLowerCase().replace(/(?<=\d)[x*](?=\d)/g, "×");

// Every box of the whole network, with what is found of it: its section, its words, its sizes.
const searched = sections.flatMap((section) => {
  const drawn = contents(section, FOLDED).flatMap((panel, number) => {
    const boxes = data.drawings[section.views[FOLDED].panels[number][0]][2];
    return Array.from({ length: panel.repeats }, () => boxes.map(([, , cells]) => wordsOf(cells))).flat();
  });
  return section.boxes.map((layers, number) => {
    const sizes = layers.flatMap(({ output, input, weights }) =>
      [output, input, ...Object.values(weights).map((shape) => shape.join("×"))]);
    const known = [section.title, drawn[number], ...layers.map(({ name }) => name), ...sizes];
    return { section, number, layers, words: drawn[number], known: plain(known.join(" ")) };
  });
});
let hits = [], at = -1;

// The layer that a box is known by: the first one with weights.
const mainOf = (layers) => layers.find(({ weights }) => Object.keys(weights).length) ?? layers[0];

// The layers whose names have all words; and where only a box's words and sizes do, its main layer.
function search() {
  const words = plain(query.value).split(/\s+/).filter(Boolean);
  const has = (known) => words.every((word) => known.includes(word));
  hits = !words.length ? [] : searched.flatMap(({ layers, known, ...box }) => {
    const named = layers.filter(({ name }) => has(plain(name)));
    const found = named.length ? named : has(known) ? [mainOf(layers)] : [];
    return found.map(({ name }) => ({ name, ...box }));
  });
  at = -1;
  const items = hits.slice(0, SHOWN).map((hit, number) => {
    const network = data.networks.length > 1 ? `${hit.section.network.name}: ` : "";
    const button = tag("button", network + hit.name, tag("small", hit.words));
    button.addEventListener("click", () => show(number));
    return button;
  });
  if (hits.length > SHOWN) items.push(tag("p", say("and {} more", count(hits.length - SHOWN))));
  results.replaceChildren(...(items.length ? items : [tag("p", say("no such layer"))]));
  results.hidden = !words.length;
  tellPlace();
}

function tellPlace() {
  $("place").textContent = at < 0 ? (hits.length || "") : `${at + 1} / ${hits.length}`;
  for (const button of document.querySelectorAll("#search [data-by]")) button.disabled = !hits.length;
}

// Show the hit with a number; the first one comes after the last.
function show(number) {
  if (!hits.length) return;
  at = (number + hits.length) % hits.length;
  results.hidden = true;
  tellPlace();
  goTo(hits[at]);
}

// Unfold as far as a box of the whole network is drawn on its own, and focus it.
function goTo({ section, number }) {
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
for (const button of document.querySelectorAll("#search [data-by]")) {
  button.addEventListener("click", () => show(at + (at < 0 && button.dataset.by < 0 ? 0 : +button.dataset.by)));
}

// The address --------------------------------------------------------------------------------------

// The part of the address after # names a layer, or a section; it goes where the focus goes.
let writing;
function address(about) {
  const name = about.step ? mainOf(about.section.boxes[about.first]).name : about.section.title;
  clearTimeout(writing);
  writing = setTimeout(() => {
    if (location.protocol !== "about:") history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  }, 300);
}

function goToAddress() {
  const name = decodeURIComponent(location.hash.slice(1));
  const found = searched.find(({ layers }) => layers.some((layer) => layer.name === name));
  const section = sections.find(({ title }) => title === name);
  if (found) goTo(found);
  else if (name && section) focusOn(section, -1, "start");
}

addEventListener("hashchange", goToAddress);
