// The training error of plain and residual networks, by their depth: examples/degradation.py.
"use strict";

figures.figure("figure-deeper", (root) => {
  const { choice, element, guess, legend, mean, plot, slider, table, words } = figures;
  const say = words({
    question: ["Two networks without shortcuts learn the same 1,437 pictures of handwritten digits, in the same way. Which one makes fewer mistakes on the digits that it learns from?", "两个没有捷径的普通网络，用同样的方法学习同样的 1,437 张手写数字图片。在训练用的这些数字上，哪一个认错的更少？"],
    shallow: ["The one with 20 layers", "20 层的"],
    deep: ["The one with 56 layers", "56 层的"],
    same: ["They are alike", "差不多"],
    guessed: ["You guessed: {answer}. ", "你猜的是：{answer}。"],
    truth: ["The network with 20 layers makes no mistake, the one with 56 layers gets {error}% of the digits wrong. Move the slider, then switch the shortcuts on.", "20 层的网络全部答对，56 层的却认错了 {error}% 的数字。拖动滑块，再打开捷径看看。"],
    shortcuts: ["Shortcuts", "捷径"],
    plain: ["without shortcuts", "没有捷径"],
    resnet: ["with shortcuts", "有捷径"],
    depth: ["Depth", "深度"],
    layers: ["{n} layers", "{n} 层"],
    pale: ["thin: single runs; pale, in the chart of epochs: the other depths", "细线：单次训练；训练过程图中的浅色线：其他深度"],
    epochs: ["epoch: once through all digits", "轮数（每轮把全部图片看一遍）"],
    error: ["training error: wrong digits", "训练数字的错误率"],
    curves: ["Training error over 20 epochs", "20 轮训练中，训练数字的错误率"],
    final: ["Training error at the end, by depth", "训练结束时的错误率与深度的关系"],
    result: ["{layers}, {kind}: in the end {error}% of the training digits are wrong ({least}% to {most}% in {runs} runs).", "{layers}，{kind}：训练结束时，训练数字认错 {error}%（{runs} 次训练为 {least}% 至 {most}%）。"],
    right: ["{layers}, {kind}: in the end all training digits are right, in all {runs} runs.", "{layers}，{kind}：训练结束时，训练数字全部认对，{runs} 次训练都是如此。"],
  });
  const KINDS = ["plain", "resnet"];
  const runs = table("data-degradation").map((run) => ({ ...run, curve: run.training_errors }));
  const depths = [...new Set(runs.map((run) => run.depth))];
  const of = (kind, depth) => runs.filter((run) => run.kind === kind && run.depth === depth).map((run) => run.curve);
  const average = (curves) => curves[0].map((_, epoch) => mean(curves.map((curve) => curve[epoch])));
  const points = (curve) => [[0, 90], ...curve.map((error, epoch) => [epoch + 1, error])];
  const ends = (kind, depth) => of(kind, depth).map((curve) => curve.at(-1));

  let [kind, depth] = ["plain", 56];
  const percent = (value) => `${value}%`;
  const y = { from: 0, to: 100, ticks: [0, 25, 50, 75, 100], title: say("error"), show: percent };
  const result = element("p", { class: "note", role: "status" });
  const drawings = element("div", { class: "two" });

  const show = () => {
    const left = plot(say("curves"), { from: 0, to: 20, ticks: [0, 5, 10, 15, 20], title: say("epochs") }, y);
    for (const other of depths) left.line(points(average(of(kind, other))), { class: `line faint ${kind}` });
    for (const curve of of(kind, depth)) left.line(points(curve), { class: `line thin ${kind}` });
    left.line(points(average(of(kind, depth))), { class: `line bold ${kind}` });
    const right = plot(say("final"), { from: 0, to: 115, ticks: depths.filter((n) => n !== 14), title: say("depth"), show: String }, y);
    for (const each of KINDS) {
      right.line(depths.map((n) => [n, mean(ends(each, n))]), { class: `line ${each}` });
      for (const n of depths) {
        const chosen = each === kind && n === depth;
        right.drawing.append(element("circle", {
          cx: right.at(n), cy: right.up(mean(ends(each, n))), r: chosen ? 7 : 3.5, class: `dot ${each} ${chosen ? "chosen" : ""}`,
        }));
      }
    }
    drawings.replaceChildren(left.drawing, right.drawing);
    const found = ends(kind, depth);
    const [error, least, most] = [mean(found), Math.min(...found), Math.max(...found)].map((value) => value.toFixed(1));
    result.textContent = say(Math.max(...found) ? "result" : "right", { layers: say("layers", { n: depth }), kind: say(kind), error, least, most, runs: found.length });
  };

  guess(root, say, ["shallow", "deep", "same"], 0, (reply) => {
    root.replaceChildren(
      element("p", {}, reply, say("truth", { error: mean(ends("plain", 56)).toFixed(0) })),
      element("div", { class: "controls" },
        choice(say("shortcuts"), KINDS.map((each) => say(each)), (chosen) => {
          kind = KINDS[chosen];
          show();
        }),
        slider(say("depth"), depths, (n) => say("layers", { n }), (n) => {
          depth = n;
          show();
        }, depths.indexOf(depth))),
      drawings, legend(say, KINDS, [], element("small", {}, say("pale"))), result);
    show();
  });
});
