// The page that compares two networks: puts the data of both into one interactive page.
"use strict";

const menus = [...document.querySelectorAll(".compare select")];
if (menus.length) {
  const bar = document.querySelector(".compare"), frame = document.getElementById("compared");
  const loaded = {};  // by name: the data of networks, and the page without data
  const KINDS = ["drawings", "cells", "facts", "settings", "tensors", "layers", "insides"];

  window.compare = {
    network: (name, data) => (loaded[name] = data),
    frame: (page) => (loaded.frame = page),
  };

  const load = (name) => loaded[name] ? Promise.resolve() : new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = bar.dataset.frame.replace("frame.js", `${name}.js`);
    Object.assign(script, { onload: resolve, onerror: reject });
    document.head.append(script);
  });

  // Two networks with one set of tables: the numbers of the second one go on after the first one's.
  const joined = (first, second) => {
    const all = structuredClone(first), own = structuredClone(second);
    const after = Object.fromEntries(KINDS.map((kind) => [kind, all[kind].length]));
    const number = (kind, one) => (one === null ? null : one + after[kind]);
    const drawings = [...own.drawings, ...own.insides.map(([drawing]) => drawing)];
    for (const [, , boxes] of drawings) for (const box of boxes) box[2] = box[2].map((one) => number("cells", one));
    for (const fact of own.facts) fact[5] = number("settings", fact[5]);
    for (const boxes of own.layers) for (const box of boxes) {
      for (const layer of box[0]) {
        layer[1] = number("facts", layer[1]);
        layer[3] = number("tensors", layer[3]);
      }
      box[1] = number("insides", box[1]);
    }
    for (const { layers, views } of own.networks[0].sections) {
      for (const [, ...groups] of layers) for (const row of groups.flat()) row[0] = number("layers", row[0]);
      for (const panel of views.flatMap(panelsOf)) panel[0] = number("drawings", panel[0]);
    }
    for (const kind of [...KINDS, "networks"]) all[kind].push(...own[kind]);
    return all;
  };

  // Which of some values are in no block that others have too: the longest ones, as difflib finds them.
  const different = (ours, theirs) => {
    const found = ours.map(() => true);
    const match = (start, end, first, last) => {
      let most = 0, [at, there] = [start, first];
      for (let i = start; i < end; i++) {
        for (let j = first; j < last; j++) {
          let length = 0;
          while (i + length < end && j + length < last && ours[i + length] === theirs[j + length]) length++;
          if (length > most) [most, at, there] = [length, i, j];
        }
      }
      if (!most) return;
      found.fill(false, at, at + most);
      match(start, at, first, there);
      match(at + most, end, there + most, last);
    };
    match(0, ours.length, 0, theirs.length);
    return found;
  };

  const panelsOf = (view) => view?.panels.flatMap(([, panels]) => panels) ?? [];

  // Mark the numbers, and the cells of panels, that the other network does not have.
  const mark = (data, network, other) => {
    const words = (texts) => new Set(texts.map(([one]) => one));
    const markTexts = (texts, known) => {
      for (const text of texts) if (text[0].trim() && !known.has(text[0])) text[4] = 1;
    };
    markTexts(network.title.slice(1), words(other.title));
    for (const section of network.sections) {
      const its = other.sections.find(({ heading }) => heading[0]?.[2][0] === section.heading[0]?.[2][0]);
      const lines = (of) => of.heading.map(([, , text]) => text);
      markTexts(lines(section).slice(1), words(its ? lines(its) : []));
      section.views.forEach((view, state) => {
        const theirs = panelsOf(its?.views[Math.min(state, its.views.length - 1)]);
        panelsOf(view).forEach((panel, i) => markPanel(data, panel, theirs[Math.min(i, theirs.length - 1)]));
      });
    }
  };

  const cellsOf = (data, panel) => data.drawings[panel[0]][2].flatMap((box) => box[2]);

  const markPanel = (data, panel, other) => {
    const named = (number) => data.cells[number].slice(0, 3).join();
    const marks = different(cellsOf(data, panel).map(named), other ? cellsOf(data, other).map(named) : []);
    const drawing = structuredClone(data.drawings[panel[0]]);
    for (const box of drawing[2]) {
      box[2] = box[2].map((cell) =>
        marks.shift() ? data.cells.push([...data.cells[cell].slice(0, 3), 1]) - 1 : cell);
    }
    if (panel[4] !== other?.[4]) for (const [, , text] of drawing[1]) if (text[2]) text[4] = 1;
    panel[0] = data.drawings.push(drawing) - 1;
  };

  const show = async () => {
    const names = menus.map((menu) => menu.value);
    await Promise.all(["frame", ...names].map(load));
    if (names.some((name, i) => name !== menus[i].value)) return;  // chosen anew meanwhile
    const data = joined(...names.map((name) => loaded[name]));
    const [left, right] = data.networks.map((network) => structuredClone(network));
    mark(data, data.networks[0], right);
    mark(data, data.networks[1], left);
    const [start, end] = loaded.frame.split('id="data">');
    const text = JSON.stringify(data).replaceAll("<", "\\u003c");
    const language = `data-language="${document.documentElement.lang}" `;
    frame.srcdoc = `${start.replace("<html ", `<html ${language}`)}id="data">${text}${end}`
      .replaceAll("NETWORKS", names.join(", "));
    history.replaceState(null, "", `#${names}`);
  };

  const read = () => {
    const asked = location.hash.slice(1).split(",");
    menus.forEach((menu, i) => {
      menu.value = asked[i] ?? "";
      if (menu.selectedIndex < 0) menu.value = menu.dataset.first;
      if (menu.selectedIndex < 0) menu.selectedIndex = 0;
    });
    show();
  };

  for (const menu of menus) menu.addEventListener("change", show);
  addEventListener("hashchange", read);
  read();
}
