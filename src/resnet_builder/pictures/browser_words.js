// Words --------------------------------------------------------------------------------------------

// The words of the page in Chinese, by those in English; those of the drawing are in English.
const CHINESE = JSON.parse($("chinese").textContent);
let language = "en";

const say = (english, ...values) => values.reduce((words, value) => words.replace("{}", value),
  (language === "zh" && CHINESE[english]) || english);

const written = new Map();  // the page's own texts and attributes -> their English words

function speak(wanted) {
  language = document.documentElement.lang = wanted;
  for (const part of document.querySelectorAll("header *")) {
    const places = [...part.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    for (const name of ["title", "aria-label", "placeholder"]) places.push(part.getAttributeNode(name));
    for (const place of places.filter(Boolean)) {
      if (!written.has(place)) written.set(place, place.nodeValue);
      place.nodeValue = say(written.get(place));
    }
  }
}
