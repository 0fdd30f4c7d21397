// What a block has to learn: the article's 5.1 and 5.2, a small network that learns y = x + 0.1
// sin 3x in the page, and how large the corrections of a trained network are.
"use strict";

figures.figure("figure-learn", (root) => {
  const { button, element, legend, mean, plot, room, set, slider, words } = figures;
  const say = words({
    target: ["What should come out, H(5)", "应当给出的 H(5)"],
    plain: ["without a shortcut", "没有捷径"],
    resnet: ["with a shortcut", "有捷径"],
    before: ["before: 5.1", "原来：5.1"],
    scales: ["The two bars have different scales.", "两条横条的刻度不同。"],
    all: ["The layers give all of it: {before} → {now}, a change of {percent}%.", "各层要给出全部：{before} → {now}，变化 {percent}%。"],
    rest: ["The layers give the rest, F(5) = H(5) − 5: {before} → {now}, a change of {percent}%.", "各层只需给出差值 F(5) = H(5) − 5：{before} → {now}，变化 {percent}%。"],
    line: ["{kind}: a bar from {from} to {to}", "{kind}：从 {from} 到 {to}"],
    train: ["Train both", "训练两个网络"],
    again: ["Again, from other weights", "换一组初始权重再来"],
    output: ["output y", "输出 y"],
    wave: ["the wave, y − x", "波浪 y − x"],
    wanted: ["wanted: y = x + 0.1 sin 3x", "目标：y = x + 0.1 sin 3x"],
    distance: ["Mean distance to the target", "与目标的平均距离"],
    steps: ["steps", "训练步数"],
    look: ["Two small networks learn the dashed curve, which is x and a small wave. The second chart shows the wave alone, enlarged. The one with a shortcut nearly copies x from the start, so the wave is all it has to learn; the other has to find x first. In the end both may be alike.", "两个小网络学习虚线，它是 x 加上一个小波浪；第二幅图只画波浪，并且放大了。有捷径的一开始就几乎照抄 x，只需学会波浪；没有捷径的，先得学会 x。训练够久，两者最后可能差不多。"],
    ratio: ["Measure a trained network of 15 blocks", "测量一个训练好的 15 块网络"],
    wait: ["Measuring …", "测量中……"],
    part: ["size of F(x), divided by that of x", "F(x) 与 x 的大小之比"],
    block: ["the five blocks of each stage", "每个阶段的五个块"],
    stage: ["stage {n}", "阶段 {n}"],
    measured: ["Mean over 60 test digits. A bar below 1 is a block whose correction is smaller than its input. The first blocks of stages 2 and 3 change height and width.", "60 张测试图片的平均。低于 1 表示这一块的修正比输入小。阶段 2、3 的第一块改变尺寸。"],
  });
  const KINDS = ["plain", "resnet"];

  // 5.1 and 5.2: a bar from 0 to 5.5, and one from 5, ten times as long ---------------------------

  const rulers = KINDS.map((kind) => {
    const from = kind === "plain" ? 0 : 5;
    const bar = element("rect", { y: 14, height: 14, class: `fill ${kind}` });
    const at = (value) => 10 + ((value - from) / (5.5 - from)) * 340;
    const ticks = kind === "plain" ? [0, 1, 2, 3, 4, 5] : [5, 5.1, 5.2, 5.3, 5.4, 5.5];
    const drawing = element("svg", { viewBox: "0 -8 360 60", role: "img" },
      element("text", { x: at(5.1), y: 4, "text-anchor": "middle" }, say("before")),
      element("rect", { x: at(5.1) - 1, y: 8, width: 2, height: 26, class: "ghost" }), bar,
      ticks.map((value) => element("text", { x: at(value), y: 46, "text-anchor": "middle" }, String(value))));
    const text = element("p", {});
    const node = element("div", {}, element("h3", { class: kind }, say(kind)), drawing, text);
    const show = (value) => {
      set(bar, { x: at(from), width: at(value) - at(from) });
      const taken = kind === "plain" ? 0 : 5;
      const percent = (100 * (value - 5.1)) / (5.1 - taken);
      const words = { before: (5.1 - taken).toFixed(1), now: (value - taken).toFixed(1), percent: String(Math.round(percent)).replace("-", "−") };
      text.textContent = say(kind === "plain" ? "all" : "rest", words);
      set(drawing, { "aria-label": say("line", { kind: say(kind), from, to: value }) });
    };
    return { node, show };
  });
  const show = (value) => rulers.forEach((ruler) => ruler.show(value));
  const values = [5, 5.1, 5.2, 5.3, 5.4, 5.5];

  // y = x + 0.1 sin 3x ---------------------------------------------------------------------------

  const UNITS = 8;
  const inputs = Array.from({ length: 41 }, (_, i) => -2 + i / 10);
  const wanted = (x) => x + 0.1 * Math.sin(3 * x);
  const random = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

  // One hidden layer of tanh; the same weights with and without the shortcut.
  const start = () => Array.from({ length: UNITS }, () => [random(), random(), random() / UNITS / 2]);
  const output = (units, x, hasShortcut) =>
    units.reduce((sum, [w, b, v]) => sum + v * Math.tanh(w * x + b), hasShortcut ? x : 0);
  const descend = (units, hasShortcut, rate = 0.2) => {
    const slopes = units.map(() => [0, 0, 0]);
    for (const x of inputs) {
      const off = (2 * (output(units, x, hasShortcut) - wanted(x))) / inputs.length;
      units.forEach(([w, b, v], unit) => {
        const h = Math.tanh(w * x + b);
        const inner = off * v * (1 - h * h);
        slopes[unit][0] += inner * x;
        slopes[unit][1] += inner;
        slopes[unit][2] += off * h;
      });
    }
    units.forEach((unit, number) => unit.forEach((_, i) => { unit[i] -= rate * slopes[number][i]; }));
  };
  const error = (units, hasShortcut) => mean(inputs.map((x) => Math.abs(output(units, x, hasShortcut) - wanted(x))));

  // Steps of which the table says how near the networks are; the drawings show more and more of them at a time.
  const MARKS = [0, 10, 100, 500, 2000];
  const drawn = element("div", { class: "two" });
  const said = element("table", { class: "marks" });
  const axis = (title, ticks, most = ticks.at(-1)) => ({ from: -most, to: most, ticks, title });
  const CHARTS = [["output", [-2, -1, 0, 1, 2], 0], ["wave", [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3], 1]];
  let [toys, found] = [];
  const drawToys = (n) => {
    drawn.replaceChildren(...CHARTS.map(([title, ticks, taken]) => {
      const most = ticks.at(-1);
      const { drawing, line } = plot(say(title), axis("x", CHARTS[0][1]), axis(say(title), ticks), { height: 220 });
      const within = (x, y) => [x, Math.max(-most, Math.min(most, y - taken * x))];
      line(inputs.map((x) => within(x, wanted(x))), { class: "line wanted" });
      for (const kind of KINDS) line(inputs.map((x) => within(x, output(toys[kind], x, kind === "resnet"))), { class: `line bold ${kind}` });
      return drawing;
    }));
    if (MARKS.includes(n)) for (const kind of KINDS) found[kind].push(error(toys[kind], kind === "resnet").toFixed(3));
    const row = (name, cells, attributes = {}) => element("tr", attributes, element("th", {}, name), cells.map((cell) => element("td", {}, cell)));
    said.replaceChildren(element("caption", {}, say("distance")), row(say("steps"), MARKS.map(String)),
      ...KINDS.map((kind) => row(say(kind), MARKS.map((_, i) => found[kind][i] ?? "…"), { class: kind })));
  };
  const fresh = () => {
    const units = start();
    toys = { plain: structuredClone(units), resnet: units };
    found = { plain: [], resnet: [] };
    drawToys(0);
  };
  let running = 0;
  const train = async () => {
    const mine = ++running;
    fresh();
    for (let n = 1, next = 1; n <= MARKS.at(-1) && mine === running; n++) {
      for (const kind of KINDS) descend(toys[kind], kind === "resnet");
      if (n < next && !MARKS.includes(n)) continue;
      next = n * 1.1;
      drawToys(n);
      if (!figures.still()) await new Promise((then) => setTimeout(then, 100));
    }
    if (mine === running) set(run, { "data-done": "" });
  };
  const run = button(say("train"), () => {
    train();
    run.textContent = say("again");
  });

  // |F(x)| / |x| of the trained network ------------------------------------------------------------

  const ratios = element("div", {});
  const norm = (values) => Math.hypot(...values);
  const measure = button(say("ratio"), async () => {
    measure.textContent = say("wait");
    const net = (await networks.load()).resnet;
    const found = networks.whole.map(() => []);
    for (let digit = 0; digit < 60; digit++) {
      networks.answer(net, networks.shown(networks.counts(digit)), networks.whole, ({ place, x, branch }) => {
        found[place].push(norm(branch) / norm(x));
      });
    }
    const { drawing, at, up, line } = plot(say("part"), { from: 0.5, to: 15.5, ticks: [3, 8, 13], title: say("block"), show: (block) => say("stage", { n: (block + 2) / 5 }) },
      { from: 0, to: Math.ceil(Math.max(...found.map(mean))), ticks: [0, 0.5, 1, 1.5, 2], title: say("part") }, { width: room(root), height: 200 });
    found.map(mean).forEach((ratio, block) => {
      drawing.append(element("rect", { class: "resnet fill", x: at(block + 0.6), y: up(ratio), width: at(1.8) - at(1), height: up(0) - up(ratio) }));
    });
    line([[0.5, 1], [15.5, 1]], { class: "line" });
    ratios.replaceChildren(drawing, element("p", { class: "note" }, say("measured")));
    measure.remove();
  });

  root.replaceChildren(
    element("div", { class: "controls" }, slider(say("target"), values, (value) => value.toFixed(1), show, 2)),
    element("div", { class: "two" }, rulers.map((ruler) => ruler.node)),
    element("p", { class: "note" }, say("scales")),
    element("hr", {}),
    element("p", {}, say("look")),
    legend(say, KINDS, element("span", {}, `┄ ${say("wanted")} `)),
    drawn, said, element("div", { class: "controls" }, run),
    element("hr", {}), measure, ratios);
  show(5.2);
  fresh();
});
