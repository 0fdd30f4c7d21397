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
  n: () => show(at + 1), N: () => show(Math.max(at, 0) - 1), f: fullScreen, "?": () => tell(),
  "/": () => query.focus(), d: () => setTheme(document.documentElement.dataset.theme !== "dark"),
};
const KEYS_OF_DRAWING = {
  ArrowDown: () => step(1), ArrowRight: () => step(1), ArrowUp: () => step(-1), ArrowLeft: () => step(-1),
  Home: () => step(-Infinity), End: () => step(Infinity),
  Enter: () => turn(document.activeElement), " ": () => turn(document.activeElement),
  Backspace: () => (inset ? leave() : unfold(focused(), -1)), Escape: () => inset && leave(),
};
const leave = () => reveal(closeInside());
const KEYS_OF_SEARCH = {
  ArrowDown: () => choose(1), ArrowUp: () => choose(-1),
  Escape: () => { results.hidden = true; query.blur(); },
  Enter: (event) => {
    if (!event.target.matches("#query")) return event.target.click();
    show(event.shiftKey ? Math.max(at, 0) - 1 : at + 1);
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
  const ofDrawing = svg.contains(event.target) ? KEYS_OF_DRAWING : {};
  const keys = event.target.closest("#search") ? KEYS_OF_SEARCH : { ...KEYS, ...ofDrawing };
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action(event);
});
for (const button of document.querySelectorAll("header [aria-keyshortcuts]")) {
  button.addEventListener("click", KEYS[button.getAttribute("aria-keyshortcuts")]);
}

$("language").addEventListener("click", () => {
  speak(language === "en" ? "zh" : "en");
  for (const section of sections) section.drawn = [];
  change((state) => state);
  tell(focused());
});

setTheme(prefersDark.matches);
// The language that the address asks for, as net.html?zh, or the page around a frame, or the reader.
const asked = location.search.slice(1) || document.documentElement.dataset.language || navigator.language;
if (asked.startsWith("zh")) speak("zh");
arrange();
tell();
goToAddress();
