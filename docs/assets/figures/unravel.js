// A residual network of three blocks as eight paths; how long the paths of n blocks are, and which
// of them carry the gradient (examples/live_networks.py).
"use strict";

figures.figure("figure-unravel", (root) => {
  const { button, choice, element, plot, power, room, set, slider, table, words } = figures;
  const say = words({
    fold: ["Fold", "合拢"],
    unfold: ["Unfold into eight paths", "展开成八条路径"],
    block: ["block {n}", "第 {n} 块"],
    remove: ["Remove {block}", "移除{block}"],
    restore: ["Put {block} back", "放回{block}"],
    label: ["Three blocks with shortcuts, as one network or as eight paths", "三个带捷径的残差块：一个网络，或八条路径"],
    whole: ["The signal has 8 paths. In a plain network there is one path, and any missing block cuts it.", "信号有 8 条路径。普通网络只有一条路径，少了任何一块都会断开。"],
    left: ["{n} of 8 paths are left. In a plain network there is one path, and any missing block cuts it.", "8 条路径还剩 {n} 条。普通网络只有一条路径，少了任何一块都会断开。"],
    one: ["{n} of 8 paths is left.", "8 条路径只剩 {n} 条。"],
    blocks: ["Blocks", "块数"],
    paths: ["{n}: {count} paths", "{n} 块：{count} 条路径"],
    length: ["length: blocks that a path passes", "长度（路径经过的块数）"],
    share: ["share of all", "占比"],
    of: ["What is shown", "显示"],
    counts: ["number of paths", "路径数量"],
    gradient: ["share of the gradient", "梯度的占比"],
    histogram: ["Paths by their length", "按长度统计的路径"],
    mostly: ["At least 95% of the paths pass {first} to {last} of {n} blocks.", "至少 95% 的路径经过 {n} 块中的 {first} 到 {last} 块。"],
    short: ["With so few blocks, paths of every length are common, from 0 to {n} blocks.", "块这么少，从 0 块到 {n} 块，各种长度的路径都占得不少。"],
    carried: ["Measured in the trained residual network of “Break it”: the paths through at most {short} of {n} blocks are {paths}% of all paths, and carry {part}% of the gradient. Grey: the number of paths.", "在“动手拆”里训练好的残差网络中实测：经过至多 {short} 块（共 {n} 块）的路径只占 {paths}%，却承担了 {part}% 的梯度。灰色为路径数量。"],
  });

  // The paths ------------------------------------------------------------------------------------

  const [BLOCKS, ROW, WIDE, HIGH] = [3, 26, 110, 228];
  const gone = new Set();
  const paths = Array.from({ length: 8 }, (_, path) => Array.from({ length: BLOCKS }, (_, block) => (path >> (BLOCKS - 1 - block)) & 1));
  const passed = (path) => path.reduce((a, b) => a + b);
  paths.sort((a, b) => passed(a) - passed(b));
  let unfolded = false;

  // A block is a box on the line, a shortcut a bow over where it would be.
  const draw = (path) => {
    const group = element("g", { class: "path" });
    let line = "M0 0H20";
    path.forEach((through, block) => {
      const x = 20 + block * WIDE;
      line += through ? `H${x + 80}` : `c10 -18 50 -18 60 0H${x + 80}`;
      if (through) group.append(element("rect", { x: x + 14, y: -8, width: 36, height: 16, rx: 3, "data-block": block }));
      line += `H${x + WIDE}`;
    });
    group.prepend(element("path", { d: line }));
    return group;
  };
  const drawn = paths.map(draw);
  const text = element("p", { class: "note", role: "status" });
  const switches = Array.from({ length: BLOCKS }, (_, block) => button("", () => {
    if (!gone.delete(block)) gone.add(block);
    show();
  }));
  const fold = button("", () => {
    unfolded = !unfolded;
    show();
  });

  const show = () => {
    fold.textContent = say(unfolded ? "fold" : "unfold");
    drawn.forEach((group, row) => {
      const y = unfolded ? 22 + row * ROW : HIGH / 2;
      const dead = paths[row].some((through, block) => through && gone.has(block));
      set(group, { style: `transform:translateY(${y}px)`, class: `path ${dead ? "dead" : ""}` });
    });
    // Folded, no room is left for the other rows.
    set(network, { viewBox: `0 ${unfolded ? 0 : HIGH / 2 - 30} ${20 + BLOCKS * WIDE} ${unfolded ? HIGH : 50}` });
    switches.forEach((node, block) => {
      node.textContent = say(gone.has(block) ? "restore" : "remove", { block: say("block", { n: block + 1 }) });
    });
    const n = drawn.filter((_, row) => !paths[row].some((through, block) => through && gone.has(block))).length;
    text.textContent = say(["one", "whole"][[1, 8].indexOf(n)] ?? "left", { n });
  };
  const network = element("svg", { role: "img", "aria-label": say("label"), class: "unravel" }, drawn);

  // Their lengths --------------------------------------------------------------------------------

  const measured = table("data-paths");
  const binomial = (n) => {
    const row = [1];
    for (let k = 0; k < n; k++) row.push((row[k] * (n - k)) / (k + 1));
    return row;
  };
  const normed = (values) => {
    const sum = values.reduce((a, b) => a + b);
    return values.map((value) => value / sum);
  };
  const carried = normed(binomial(measured.length - 1).map((count, length) => count * measured[length].norm));
  // The fewest neighbours that make up 95%.
  const most = (values) => {
    for (let size = 1; ; size++) {
      for (let first = 0; first + size <= values.length; first++) {
        if (values.slice(first, first + size).reduce((a, b) => a + b) >= 0.95) return { first, last: first + size - 1 };
      }
    }
  };

  const SHORT = 5; // blocks of a short path
  let [blocks, gradient] = [15, false];
  const histogram = element("div", {});
  const sentence = element("p", { class: "note", role: "status" });
  const bars = () => {
    const n = gradient ? measured.length - 1 : blocks;
    const values = gradient ? carried : normed(binomial(n));
    const top = Math.max(Math.ceil(10 * Math.max(...values)) / 10, 0.2);
    const step = Math.ceil(n / 5);
    const ticks = Array.from({ length: Math.floor(n / step) + 1 }, (_, i) => i * step);
    const { drawing, at, up } = plot(say("histogram"), { from: -0.5, to: n + 0.5, ticks, title: say("length") },
      { from: 0, to: top, ticks: [0, 0.1, 0.2, 0.3, 0.4, 0.5].filter((tick) => tick <= top), title: say("share"), show: (value) => `${Math.round(100 * value)}%` },
      { width: room(root), height: 220 });
    const wide = (at(1) - at(0)) * 0.8;
    const counted = normed(binomial(n));
    values.forEach((value, length) => {
      if (gradient) drawing.append(element("rect", { class: "ghost", x: at(length) - wide / 2, y: up(counted[length]), width: wide, height: up(0) - up(counted[length]) }));
      drawing.append(element("rect", { class: "resnet fill", x: at(length) - wide / 2, y: up(value), width: wide, height: up(0) - up(value) }));
    });
    histogram.replaceChildren(drawing);
    const found = most(values);
    const isAll = found.first === 0 && found.last === n;
    const upTo = (shares) => Math.round(100 * shares.slice(0, SHORT + 1).reduce((a, b) => a + b));
    const parts = { short: SHORT, paths: upTo(counted), part: upTo(values) };
    sentence.textContent = say(gradient ? "carried" : isAll ? "short" : "mostly", { ...found, ...parts, n });
  };
  const number = (n) => (2 ** n < 1e6 ? (2 ** n).toLocaleString("en") : (2 ** n).toPrecision(2).replace(/e\+(\d+)/, (_, exponent) => `·${power(10 ** exponent)}`));
  const SIZES = [1, 2, 3, 4, 6, 9, 15, 21, 27, 54];
  const length = slider(say("blocks"), SIZES, (n) => say("paths", { n, count: number(n) }), (n) => {
    blocks = n;
    bars();
  }, SIZES.indexOf(blocks));

  root.replaceChildren(
    element("div", { class: "controls" }, fold, switches), network, text, element("hr", {}),
    element("div", { class: "controls" },
      choice(say("of"), [say("counts"), say("gradient")], (chosen) => {
        gradient = chosen === 1;
        set(length, { hidden: gradient });
        bars();
      }), length),
    histogram, sentence);
  show();
  bars();
});
