// A residual and a plain network that the reader breaks: they run in the page.
"use strict";

figures.figure("figure-break", (root) => {
  const { button, choice, element, set, words } = figures;
  const KINDS = ["resnet", "plain"];
  const say = words({
    loading: ["Loading two networks (1 MB) …", "正在加载两个网络（1 MB）……"],
    failed: ["The networks could not be loaded.", "网络加载失败。"],
    draw: ["Draw a digit here", "在此处写一个数字"],
    see: ["What the networks are given", "送进网络的图片"],
    another: ["Another test digit", "换一个测试数字"],
    clear: ["Clear, and draw", "清空并手写"],
    taken: ["Test digit {n}, a {label}. The networks were not trained on it.", "第 {n} 张测试图片，写的是 {label}，训练时没有用过。"],
    drawn: ["Your own digit", "你写的数字"],
    paper: ["Draw in the middle, with some room around. These two networks have only seen 1,437 small digits and may get yours wrong; watch whether the answer changes when a block is gone.", "请写在中间，四周留一点空。这两个网络只见过 1,437 张小图片，手写的可能认错；要看的是拆掉一块之后，答案变不变。"],
    key: ["A click acts on both networks. Arcs: shortcuts. Purple: blocks that changed places. Outlined: blocks that halve the picture, which the plain network keeps.", "点一下，两个网络同时改变。弧线：捷径。紫色：换了位置的块。空心：要把图像缩小的块，普通网络始终保留。"],
    blocks: ["Blocks of both networks", "两个网络的块"],
    click: ["What a click does", "点击的作用"],
    remove: ["Click removes a block", "点击移除一块"],
    exchange: ["Click exchanges two", "点击交换两个块"],
    random: ["Remove one at random", "随机移除一个"],
    back: ["All blocks back", "全部恢复"],
    stage: ["stage {n}", "阶段 {n}"],
    block: ["stage {stage}, block {block}", "阶段 {stage}，第 {block} 块"],
    first: ["Now click the block that it changes places with.", "再点击要与它交换的块。"],
    unlike: ["Only blocks of one stage change places, and not the first of stages 2 and 3, which halves the picture.", "只有同一阶段的块才能交换；阶段 2、3 的第一块会把图像缩小一半，不能参与。"],
    opening: ["This block halves the picture. The residual network's shortcut does that too; the plain network has nothing else that does, and keeps the block: here the two are not compared fairly.", "这一块会把图像缩小一半。残差网络的捷径也能做到；普通网络没有别的办法，所以保留它：这时两者的比较并不公平。"],
    exception: ["This block is the exception: its F(x) is 1.4 times as large as its x, so it changes its input more than any other. Put it back and try another, such as block 3. One digit may be right by luck: compare the shares of wrong digits.", "这一块是例外：它的 F(x) 是 x 的 1.4 倍，对输入的改动比其他各块都大。请点回来，换一块试试，比如第 3 块。一个数字可能碰巧认对，要比较的是错误率。"],
    resnet: ["Residual network", "残差网络"],
    plain: ["Plain network", "普通网络"],
    result: ["Wrong: residual {resnet}%, plain {plain}%.", "错误率：残差网络 {resnet}%，普通网络 {plain}%。"],
  });
  const { answer, best, counts, opens, shown, whole, PER_STAGE } = networks;
  let nets; // by their kind
  let places = [...whole]; // which block is in each place, or -1
  let selected = null; // the first of two that are exchanged
  let exchanging = false;
  let pixels = Array(64).fill(0);
  let taken = -1;
  let turn = 0; // of the counting of errors; a newer one ends an older one

  // What is seen ---------------------------------------------------------------------------------

  const squares = pixels.map((_, i) =>
    element("rect", { x: i % 8, y: Math.floor(i / 8), width: 1.02, height: 1.02, class: "pixel" }));
  const drawn = figures.pad(say("draw"), (found) => {
    [pixels, taken] = [found, -1];
    showAnswers();
  });
  const seen = element("svg", { viewBox: "0 0 8 8", class: "seen", role: "img", "aria-label": say("see") }, squares);
  const what = element("p", { class: "what" });
  const note = element("p", { class: "note", role: "status" });

  const panels = Object.fromEntries(KINDS.map((kind) => [kind, figures.panel(kind)]));

  const showAnswers = () => {
    squares.forEach((square, i) => set(square, { style: `fill-opacity:${pixels[i] / 16}` }));
    const label = live.digits.labels[taken];
    const isEmpty = !pixels.some(Boolean);
    what.textContent = label ? say("taken", { n: taken + 1, label }) : isEmpty ? "" : say("drawn");
    for (const kind of KINDS) panels[kind].show(isEmpty ? null : answer(nets[kind], shown(pixels), places), label);
  };

  // The errors, some digits at a time so that the page stays alive.
  const countErrors = async () => {
    const mine = ++turn;
    const [all, wrong] = [live.digits.labels.length, { resnet: 0, plain: 0 }];
    root.removeAttribute("data-errors");
    for (let n = 0; n < all;) {
      const until = performance.now() + 25;
      while (n < all && performance.now() < until) {
        for (const kind of KINDS) {
          wrong[kind] += best(answer(nets[kind], shown(counts(n)), places)) !== Number(live.digits.labels[n]);
        }
        n += 1;
      }
      for (const kind of KINDS) panels[kind].count(wrong[kind], n, all);
      await new Promise((next) => setTimeout(next));
      if (mine !== turn) return;
    }
    const percent = (kind) => ((100 * wrong[kind]) / all).toFixed(1);
    note.textContent ||= say("result", { resnet: percent("resnet"), plain: percent("plain") });
    set(root, { "data-errors": `${wrong.resnet} ${wrong.plain}` });
  };

  const clear = () => {
    [pixels, taken] = [Array(64).fill(0), -1];
    drawn.clear();
    showAnswers();
  };

  const take = () => {
    clear();
    taken = Math.floor(Math.random() * live.digits.labels.length);
    pixels = counts(taken);
    showAnswers();
  };

  // Blocks ---------------------------------------------------------------------------------------

  const name = (place) => say("block", { stage: Math.floor(place / PER_STAGE) + 1, block: (place % PER_STAGE) + 1 });
  const rows = KINDS.map((kind) => whole.map((place) => button("", () => press(place), { class: `block ${kind}` })));
  const isLocked = (kind, place) => kind === "plain" && opens(place);
  const fits = (one, other) => one !== other && !opens(one) && !opens(other)
    && Math.floor(one / PER_STAGE) === Math.floor(other / PER_STAGE);

  const changed = (message = "") => {
    note.textContent = message;
    KINDS.forEach((kind, row) => rows[row].forEach((node, place) => {
      const block = isLocked(kind, place) ? place : places[place];
      const isMoved = block >= 0 && block !== place;
      node.textContent = ((block < 0 ? place : block) % PER_STAGE) + 1;
      set(node, {
        "aria-pressed": exchanging ? String(place === selected) : String(block >= 0),
        "aria-label": `${say(kind)}: ${isMoved ? `${name(place)} ← ${name(block)}` : name(place)}`,
        class: ["block", kind, block < 0 && "gone", isMoved && "moved", isLocked(kind, place) && "locked", place === selected && "selected"].filter(Boolean).join(" "),
      });
    }));
    showAnswers();
    countErrors();
  };

  const press = (place) => {
    if (!exchanging) {
      places[place] = places[place] < 0 ? spare(place) : -1;
      const told = place ? opens(place) && "opening" : "exception";
      changed(told && places[place] < 0 ? say(told) : "");
    } else if (selected === null) {
      selected = place;
      changed(say("first"));
    } else {
      const good = fits(selected, place);
      if (good) [places[selected], places[place]] = [places[place], places[selected]];
      const wrong = !good && selected !== place;
      selected = null;
      changed(wrong ? say("unlike") : "");
    }
  };

  // The block that comes back: its own, or where that is elsewhere another one of the stage.
  const spare = (place) => {
    const stage = whole.filter((other) => other === place || fits(other, place));
    return [place, ...stage].find((block) => !places.includes(block));
  };

  const controls = element("div", { class: "controls" },
    choice(say("click"), [say("remove"), say("exchange")], (number) => {
      [exchanging, selected] = [number === 1, null];
      changed();
    }),
    button(say("random"), () => {
      const present = whole.filter((place) => places[place] >= 0 && !opens(place));
      if (present.length) places[present[Math.floor(Math.random() * present.length)]] = -1;
      changed();
    }),
    button(say("back"), () => {
      [places, selected] = [[...whole], null];
      changed();
    }));

  const chain = element("div", { class: "chain", role: "group", "aria-label": say("blocks") },
    [0, 1, 2].map((stage) => element("div", { class: "stage" },
      element("span", { class: "name" }, say("stage", { n: stage + 1 })),
      rows.map((row) => row.slice(stage * PER_STAGE, (stage + 1) * PER_STAGE)))));

  root.append(element("p", { class: "note" }, say("loading")));
  networks.load().then((loaded) => {
    nets = loaded;
    root.replaceChildren(
      element("div", { class: "input" }, drawn.node, seen,
        element("div", {}, what, button(say("another"), take), button(say("clear"), clear))),
      element("p", { class: "note" }, say("paper")),
      controls, element("p", { class: "note" }, say("key")), chain, note,
      element("div", { class: "pair" }, KINDS.map((kind) => panels[kind].node)));
    take();
    changed();
  }, () => root.replaceChildren(element("p", { class: "note" }, say("failed"))));
});
