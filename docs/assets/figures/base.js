// What the figures of a page share: words in two languages, elements, buttons, sliders, and axes.
"use strict";

const figures = (() => {
  const language = document.documentElement.lang.startsWith("zh") ? 1 : 0;
  const SVG = "http://www.w3.org/2000/svg";
  const DRAWN = new Set(["svg", "g", "path", "rect", "circle", "text"]);

  // From {key: ["English", "中文"]} to key, {name: value} -> text; {name} in it is replaced.
  const words = (table) => (key, values = {}) =>
    table[key][language].replace(/{(\w+)}/g, (_, name) => values[name]);

  const set = (node, attributes) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === false) node.removeAttribute(name);
      else node.setAttribute(name, value);
    }
    return node;
  };

  // An element of HTML or SVG. A child may be a list of children, or `false`, which is left out.
  const element = (name, attributes = {}, ...children) => {
    const node = DRAWN.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
    set(node, attributes).append(...children.flat(9).filter((child) => child !== false));
    return node;
  };

  const button = (text, press, attributes = {}) =>
    element("button", { type: "button", onclick: press, ...attributes }, text);

  // Buttons of which one is pressed; `choose` is told its number.
  const choice = (label, texts, choose, chosen = 0) => {
    const mark = (number) => buttons.forEach((one, other) => set(one, { "aria-pressed": String(other === number) }));
    const buttons = texts.map((text, number) => button(text, () => {
      mark(number);
      choose(number);
    }));
    mark(chosen);
    return element("div", { class: "choice", role: "group", "aria-label": label }, buttons);
  };

  // A slider over some values, which `show` puts in words.
  const slider = (label, values, show, change, start = 0) => {
    const shown = element("output", {}, show(values[start]));
    const move = (event) => {
      const value = values[Number(event.target.value)];
      shown.textContent = show(value);
      event.target.setAttribute("aria-valuetext", show(value));
      change(value);
    };
    const input = element("input", {
      type: "range", min: 0, max: values.length - 1, value: start, oninput: move,
      "aria-valuetext": show(values[start]),
    });
    return element("label", { class: "slider" }, element("span", {}, label), input, shown);
  };

  // A drawing with axes: x and y are {from, to, ticks, title, show, log}.
  const plot = (label, x, y, { width = 360, height = 240, left = 58 } = {}) => {
    const [top, right, bottom] = [8, 12, 40];
    const scale = ({ from, to, log }, start, end) => {
      const of = log ? Math.log10 : Number;
      return (value) => start + ((of(value) - of(from)) / (of(to) - of(from))) * (end - start);
    };
    const [at, up] = [scale(x, left, width - right), scale(y, height - bottom, top)];
    const text = (value, axis) => (axis.show ?? String)(value);
    const drawing = element("svg", {
      viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, style: `max-width:${width * 1.3}px`,
    },
      y.ticks.map((value) => [
        element("path", { class: "grid", d: `M${left} ${up(value)}H${width - right}` }),
        element("text", { x: left - 6, y: up(value) + 4, "text-anchor": "end" }, text(value, y)),
      ]),
      x.ticks.map((value) =>
        element("text", { x: at(value), y: height - bottom + 16, "text-anchor": "middle" }, text(value, x))),
      element("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, x.title),
      element("text", { transform: `translate(11 ${(height - bottom + top) / 2}) rotate(-90)`, "text-anchor": "middle" }, y.title));
    const line = (points, attributes) => {
      const d = points.map(([a, b], i) => `${i ? "L" : "M"}${at(a).toFixed(1)} ${up(b).toFixed(1)}`).join("");
      drawing.append(element("path", { d, ...attributes }));
    };
    return { drawing, at, up, line };
  };

  // The width of a drawing that fills a figure, so that its letters have the size of the page's.
  const room = (root) => Math.max(300, Math.min(root.clientWidth - 20, 620));

  // 0.01, 100, 10⁻⁶
  const power = (value) => {
    const exponent = Math.round(Math.log10(value));
    if (Math.abs(exponent) < 4) return String(10 ** exponent);
    return `10${String(exponent).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)])}`;
  };

  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  // Loads scripts one after the other, which also works in a page from a folder.
  const load = (addresses) => addresses.reduce((before, src) => before.then(() => new Promise((done, failed) => {
    document.head.append(element("script", { src, onload: done, onerror: failed }));
  })), Promise.resolve());

  // Fills the part of the page with that id as soon as it is near the window.
  const figure = (id, build) => {
    const root = document.getElementById(id);
    if (!root) return;
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      build(root);
    }, { rootMargin: "600px" });
    observer.observe(root);
  };

  const verdict = words({ right: ["That is right. ", "猜对了。"], wrong: ["That is wrong. ", "猜错了。"], skip: ["Just show the result", "不猜了，直接看结果"] });

  // A question before a figure is seen, in the figure's words: once one of the answers is pressed,
  // `then` shows it after a reply; in print, or without a guess, the reply is empty. The paragraphs after it wait, since they tell.
  const guess = (root, say, keys, right, then) => {
    const answers = keys.map((key) => say(key));
    const asked = element("div", { class: "guess" }, element("p", {}, say("question")));
    const after = [];
    for (let next = root.nextElementSibling; next && !/^H\d$/.test(next.tagName); next = next.nextElementSibling) after.push(next);
    const hide = (hidden) => after.forEach((node) => set(node, { hidden: hidden && "" }));
    const chosen = (number) => {
      removeEventListener("beforeprint", print);
      asked.remove();
      hide(false);
      then(number < 0 ? "" : say("guessed", { answer: answers[number] }) + verdict(number === right ? "right" : "wrong"));
    };
    const print = () => chosen(-1);
    addEventListener("beforeprint", print);
    asked.append(element("div", { class: "controls" }, answers.map((text, number) => button(text, () => chosen(number))), button(verdict("skip"), print)));
    root.replaceChildren(asked);
    hide(true);
  };

  // What the lines of each kind mean, in the figure's words.
  const legend = (say, kinds, before = [], after = []) => element("p", { class: "legend" },
    before, kinds.map((kind) => element("span", { class: kind }, `— ${say(kind)} `)), after);

  // The rows of a table of comma-separated values in the page, as objects; "1 2 3" is an array.
  const table = (id) => {
    const [head, ...lines] = document.getElementById(id).textContent.trim().split(/\r?\n/).map((line) => line.split(","));
    const value = (text) => (/^[-\d.e+ ]+$/.test(text) ? (text.includes(" ") ? text.split(" ").map(Number) : Number(text)) : text);
    return lines.map((cells) => Object.fromEntries(cells.map((cell, i) => [head[i], value(cell)])));
  };

  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  return { button, choice, element, figure, guess, legend, load, mean, plot, power, room, set, slider, still, table, words };
})();
