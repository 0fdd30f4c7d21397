// One digit on its way through the blocks of the residual network.
"use strict";

figures.figure("figure-inside", (root) => {
  const { button, element, set, slider, words } = figures;
  const say = words({
    loading: ["Loading the network …", "正在加载网络……"],
    another: ["Another digit", "换一个数字"],
    block: ["Block", "第几块"],
    which: ["stage {stage}, block {block}", "阶段 {stage}，第 {block} 块"],
    x: ["input x", "输入 x"],
    f: ["F(x), which the layers add (blue) or take away (orange)", "F(x)：各层加上的（蓝色）或减去的（橙色）"],
    y: ["output: x + F(x), after ReLU", "输出：x + F(x)，再经 ReLU"],
    image: ["The digit; in the frame, the part that one pixel of F(x) is computed from", "送进网络的数字；框里是算出 F(x) 的一个像素所用到的部分"],
    digit: ["The digit is a {label}.", "送进网络的是 {label}。"],
    how: ["Each small square is a picture inside the network, a channel. Compare the input x with the output: if they look alike, the block changed only a little.", "每个小方块是网络内部的一张图像，即一个通道。比较输入 x 和输出：如果很像，就说明这一块只改了一点。"],
    field: ["Blue frame, the receptive field: each pixel of F(x) is computed from {n}×{n} pixels of the digit.", "蓝框是感受野：F(x) 的每个像素由数字的 {n}×{n} 个像素算出。"],
    all: ["Blue frame, the receptive field: a pixel of F(x) in the middle is computed from the whole digit.", "蓝框是感受野：F(x) 中间的像素由整个数字算出。"],
    maps: ["Eight of {n} channels, {side}×{side} pixels each.", "这里画出 {n} 个通道中的 8 个，每个 {side}×{side} 像素。"],
    opens: ["This block halves the picture and doubles the channels, so its x is not the picture that goes on.", "这一块把图像缩小一半、通道数加倍，所以它的输出不再是输入的那些图像。"],
    answer: ["the answer", "答案"],
    end: ["The last layer takes the mean of each of the {n} channels, and computes from the means how sure the network is of each digit. It says {said}.", "最后一层求出 {n} 个通道各自的平均值，再由这些平均值算出每个数字有多大把握。网络的回答是 {said}。"],
  });

  // Squares of one side, coloured by sign; the strongest of all is opaque.
  const map = (values, side, channels, channel, most) => element("svg", { viewBox: `0 0 ${side} ${side}` },
    Array.from({ length: side ** 2 }, (_, pixel) => {
      const value = values[pixel * channels + channel];
      return element("rect", {
        x: pixel % side, y: Math.floor(pixel / side), width: 1.03, height: 1.03,
        class: `fill ${value < 0 ? "plain" : "resnet"}`, "fill-opacity": Math.sqrt(Math.abs(value / most)).toFixed(2),
      });
    }));

  // What one pixel depends on: each 3x3 convolution adds two of the pixels that it moves by.
  const field = (place) => {
    let [size, step] = [3, 1];
    for (let block = 0; block <= place; block++) {
      size += 2 * step;
      if (networks.opens(block)) step *= 2;
      size += 2 * step;
    }
    return size;
  };

  let [net, digit, place] = [null, 0, 2];
  const shownImage = element("div", { class: "image" });
  const rows = element("div", { class: "maps" });
  const how = element("p", {}, say("how"));
  const note = element("p", { class: "note", role: "status" });

  const show = () => {
    const pixels = networks.counts(digit);
    let found;
    const shares = networks.answer(net, networks.shown(pixels), networks.whole, (seen) => {
      if (seen.place <= place) found = seen; // after the last block, the answer
    });
    const isEnd = place === networks.whole.length;
    const { x, branch, y, side } = found;
    const before = networks.opens(place) ? 2 * side : side;
    const channels = (values, of) => values.length / of ** 2;
    const size = field(place);
    const half = Math.min(size, 20) / 2;
    const middle = 4 + (size % 2) / 2;
    shownImage.replaceChildren(element("svg", { viewBox: "-2 -2 12 12", role: "img", "aria-label": say("image") },
      pixels.map((count, pixel) => element("rect", {
        x: pixel % 8, y: Math.floor(pixel / 8), width: 1.02, height: 1.02, class: "pixel", "fill-opacity": count / 16,
      })),
      !isEnd && element("rect", { x: Math.max(middle - half, -1.8), y: Math.max(middle - half, -1.8), width: Math.min(size, 11.6), height: Math.min(size, 11.6), class: "frame" })));
    const label = say("digit", { label: live.digits.labels[digit] });
    set(how, { hidden: isEnd && "" });
    if (isEnd) {
      rows.replaceChildren(element("div", { class: "bars" }, Array.from(shares, (share, n) =>
        element("div", { class: "row" }, element("span", {}, String(n)), element("span", { class: "track" }, element("span", { class: "bar", style: `width:${100 * share}%` }))))));
      note.textContent = `${label} ${say("end", { n: channels(y, side), said: networks.best(shares) })}`;
      return;
    }
    const most = Math.max(...[x, branch, y].flatMap((values) => Array.from(values, Math.abs)));
    rows.replaceChildren(...[["x", x, before], ["f", branch, side], ["y", y, side]].map(([key, values, of]) => {
      const n = channels(values, of);
      return element("div", { class: "channels", role: "img", "aria-label": say(key) }, element("span", {}, say(key)),
        Array.from({ length: 8 }, (_, i) => map(values, of, n, Math.floor((i * n) / 8), most)));
    }));
    const sentences = [label, say(size > 8 ? "all" : "field", { n: size }), say("maps", { n: channels(y, side), side })];
    if (networks.opens(place)) sentences.push(say("opens"));
    note.textContent = sentences.join(" ");
  };

  root.replaceChildren(element("p", { class: "note" }, say("loading")));
  networks.load().then((nets) => {
    net = nets.resnet;
    const names = (number) => number === networks.whole.length ? say("answer") : say("which", { stage: Math.floor(number / networks.PER_STAGE) + 1, block: (number % networks.PER_STAGE) + 1 });
    root.replaceChildren(
      element("div", { class: "controls" },
        slider(say("block"), [...networks.whole, networks.whole.length], names, (number) => {
          place = number;
          show();
        }, place),
        button(say("another"), () => {
          digit = (digit + 1) % live.digits.labels.length;
          show();
        })),
      element("div", { class: "way" }, shownImage, element("div", { class: "told" }, how, note), rows));
    show();
  });
});
