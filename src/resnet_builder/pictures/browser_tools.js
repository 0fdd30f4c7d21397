// Colours ------------------------------------------------------------------------------------------

const measure = $("measure");
for (const field of Object.keys(TOTALS)) {
  if (sum(sections.flatMap(({ boxes }) => boxes.flat()), field) === null) {
    measure.querySelector(`[value=${field}]`).disabled = true;
  }
}

// Colour the boxes by what is measured, and write each section's share of it.
function paint() {
  const field = measure.value, boxes = [...svg.querySelectorAll(".box")];
  svg.classList.toggle("heat", field !== "");
  for (const bar of svg.querySelectorAll(".share")) bar.remove();
  $("scale").hidden = !field;
  if (!field) return;
  const costs = boxes.map(({ about }) => sum(copiesOf(about).flat(), field) / about.repeats);  // of each copy
  const most = Math.max(...costs, 1);
  boxes.forEach((box, i) => box.style.setProperty("--heat", `${Math.round(100 * costs[i] / most)}%`));
  $("most").textContent = TOTALS[field](most);
  for (const network of data.networks) {
    const all = sum(network.sections.flatMap((section) => section.boxes.flat()), field);
    for (const section of network.sections) {
      const share = sum(section.boxes.flat(), field) / (all || 1), wide = HEADING_WIDTH - 40;
      const words = text(wide + 5, -3.5, [`${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`, 10]);
      const bars = [rectangle("whole", 0, 0, wide, 7, 2), rectangle("part", 0, 0, wide * share, 7, 2)];
      const group = element("g", { class: "share", transform: "translate(14,80)" }, ...bars, words);
      section.drawn[stateOf(section)].append(group);
    }
  }
}

measure.addEventListener("change", paint);

// Saving -------------------------------------------------------------------------------------------

const LOOK = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-weight", "text-anchor",
  "text-decoration-line", "opacity"];

// A colour as any program reads it: color(srgb 1 0.5 0) is a mixture that this browser computed.
function inRgb(value) {
  const [, parts] = value.match(/^color\(srgb ([^/)]+)/) ?? [];
  return parts ? `rgb(${parts.trim().split(/\s+/).map((part) => Math.round(255 * part)).join(", ")})` : value;
}

// The drawing as it is, as a file that needs no style sheet.
function svgText() {
  const copy = svg.cloneNode(true), shown = [...svg.querySelectorAll("*")];
  [...copy.querySelectorAll("*")].forEach((part, i) => {
    if (shown[i].matches(".sign, .ring")) return part.remove();
    const look = getComputedStyle(shown[i]), around = getComputedStyle(shown[i].parentNode);
    for (const name of ["class", "role", "tabindex", "style", "aria-expanded"]) part.removeAttribute(name);
    for (const name of LOOK) {
      const value = look.getPropertyValue(name), is_new = value !== around.getPropertyValue(name);
      if (is_new || part.parentNode === copy) part.setAttribute(name, inRgb(value));
    }
  });
  copy.removeAttribute("class");
  for (const [name, value] of [["width", size.width], ["height", size.height]]) copy.setAttribute(name, value);
  const paper = rectangle("", -2, 0, size.width, size.height, 0);
  paper.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  copy.prepend(paper);
  return new XMLSerializer().serializeToString(copy);
}

function save(blob, ending) {
  const link = Object.assign(document.createElement("a"), { download: `${document.title}.${ending}` });
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const asSvg = () => new Blob([svgText()], { type: "image/svg+xml" });
const MOST_PIXELS = 16384;

async function savePng() {
  const image = new Image(), address = URL.createObjectURL(asSvg());
  image.src = address;
  await image.decode();
  const scale = Math.min(2, MOST_PIXELS / Math.max(size.width, size.height));
  const canvas = Object.assign(tag("canvas"), { width: size.width * scale, height: size.height * scale });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  canvas.toBlob((blob) => save(blob, "png"));
}

const SAVES = { svg: () => save(asSvg(), "svg"), png: savePng };
for (const button of document.querySelectorAll("[data-save]")) {
  button.addEventListener("click", () => SAVES[button.dataset.save]());
}

// Full screen --------------------------------------------------------------------------------------

$("full").hidden = !document.fullscreenEnabled;

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.();
}

document.addEventListener("fullscreenchange", () =>
  $("full").setAttribute("aria-pressed", document.fullscreenElement !== null));
