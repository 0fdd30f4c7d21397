// The gradient at the output of each block, from the last to the first: examples/degradation.py.
"use strict";

figures.figure("figure-gradient", (root) => {
  const { choice, element, guess, legend, mean, plot, power, room, slider, table, words } = figures;
  const say = words({
    question: ["A plain network of 56 layers with batch norm has not been trained yet. On its way back from the last block to the first, its gradient …", "一个 56 层、带批归一化的普通网络还没有开始训练。梯度从最后一块传回第一块的途中会……"],
    vanishes: ["vanishes", "逐渐消失"],
    stays: ["stays as it is", "大致不变"],
    grows: ["grows", "不断变大"],
    guessed: ["You guessed: it {answer}. ", "你猜的是：{answer}。"],
    truth: ["With 56 layers, before training, it grows {plain} times, and in the residual network of the same depth {resnet} times.", "56 层、训练之前，它变大了约 {plain} 倍；同样深度的残差网络里只变大 {resnet} 倍。"],
    when: ["When", "时间"],
    gradients_before: ["before training", "训练之前"],
    gradients_after: ["after training", "训练之后"],
    depth: ["Depth", "深度"],
    layers: ["{n} layers", "{n} 层"],
    block: ["⟵ way of the gradient", "⟵ 梯度回传"],
    norm: ["gradient, 10 times for each line up", "梯度的大小（每上一格 ×10）"],
    label: ["The gradient at the output of each block", "各块输出处的梯度"],
    input: ["input end", "输入端"],
    output: ["output end", "输出端"],
    plain: ["without shortcuts", "没有捷径"],
    resnet: ["with shortcuts", "有捷径"],
    grown: ["grows {n} times", "变大到 {n} 倍"],
    shrunk: ["shrinks to 1/{n}", "缩小到 1/{n}"],
    result: ["{layers}, {when}: from the last block to the first the gradient {plain} without shortcuts and {resnet} with them.", "{layers}，{when}：从最后一块到第一块，没有捷径时梯度{plain}，有捷径时{resnet}。"],
    loss: [" Compare both ends of a line, not the heights of two: unless the gradient has vanished, the less loss is left, the lower the line lies (loss here: {plain} without shortcuts, {resnet} with them).", "要比较的是一条线的两端，而不是两条线的高低：只要梯度没有消失，损失剩得越少，线就越低（这里的损失：没有捷径 {plain}，有捷径 {resnet}）。"],
  });
  const KINDS = ["plain", "resnet"];
  const runs = table("data-degradation");
  const depths = [...new Set(runs.map((run) => run.depth))];
  const of = (kind, depth, when) => runs.filter((run) => run.kind === kind && run.depth === depth).map((run) => run[when]);
  const average = (curves) => curves[0].map((_, block) => 10 ** mean(curves.map((curve) => Math.log10(curve[block]))));
  const growth = (kind, depth, when) => {
    const curve = average(of(kind, depth, when));
    const factor = curve[0] / curve.at(-1);
    return factor < 0.01 ? 10 ** Math.round(Math.log10(factor)) : Number(factor.toPrecision(2));
  };
  const number = (value) => value.toLocaleString("en");
  const change = (factor) => (factor < 1 ? say("shrunk", { n: number(Math.round(1 / factor)) }) : say("grown", { n: number(factor) }));

  const HEIGHT = 260;
  let [depth, when] = [56, "gradients_before"];
  const drawn = element("div", {});
  const result = element("p", { class: "note", role: "status" });

  const show = () => {
    const curves = KINDS.flatMap((kind) => of(kind, depth, when).map((curve) => [kind, curve]));
    const values = curves.flatMap(([, curve]) => curve);
    const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
    const powers = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
    const blocks = (depth - 2) / 2;
    const { drawing, at, line } = plot(say("label"),
      { from: 1, to: blocks, ticks: [1, Math.ceil(blocks / 3), Math.ceil((2 * blocks) / 3), blocks], title: say("block") },
      { from: 10 ** low, to: 10 ** high, log: true, ticks: powers, title: say("norm"), show: power },
      { width: room(root), height: HEIGHT });
    for (const [key, end, anchor] of [["input", 1, "start"], ["output", blocks, "end"]]) {
      drawing.append(element("text", { x: at(end), y: HEIGHT - 6, "text-anchor": anchor, class: "end" }, say(key)));
    }
    const points = (curve) => curve.map((norm, block) => [block + 1, norm]);
    for (const [kind, curve] of curves) line(points(curve), { class: `line thin ${kind}` });
    for (const kind of KINDS) line(points(average(of(kind, depth, when))), { class: `line bold ${kind}` });
    drawn.replaceChildren(drawing);
    const factors = Object.fromEntries(KINDS.map((kind) => [kind, change(growth(kind, depth, when))]));
    result.textContent = say("result", { layers: say("layers", { n: depth }), when: say(when), ...factors });
    if (when === TIMES[0]) return;
    const loss = (kind) => Number(mean(of(kind, depth, "training_loss")).toPrecision(1));
    result.textContent += say("loss", { plain: loss("plain"), resnet: loss("resnet") });
  };

  const TIMES = ["gradients_before", "gradients_after"];
  guess(root, say, ["vanishes", "stays", "grows"], 2, (reply) => {
    const factors = Object.fromEntries(KINDS.map((kind) => [kind, number(growth(kind, 56, TIMES[0]))]));
    root.replaceChildren(
      element("p", {}, reply, say("truth", factors)),
      element("div", { class: "controls" },
        choice(say("when"), TIMES.map((key) => say(key)), (time) => {
          when = TIMES[time];
          show();
        }),
        slider(say("depth"), depths, (n) => say("layers", { n }), (n) => {
          depth = n;
          show();
        }, depths.indexOf(depth))),
      drawn, legend(say, KINDS), result);
    show();
  });
});
