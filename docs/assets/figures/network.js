// A small residual or plain network, its batch norms folded into its convolutions, in plain
// JavaScript. Arrays hold rows, columns and channels, as in Keras. examples/live_networks.py wrote
// the weights into `live`.
"use strict";

const live = {};

const networks = (() => {
  const PER_STAGE = 5;
  const LEAST = 46; // a letter stands for a number from -46 to 46; " and \ are left out

  const step = (code) => code - 32 - (code > 34) - (code > 92) - LEAST;

  // Keras has the output channels last, this the weights of each side by side.
  const layer = ({ strides, scale, bias, weights }) => {
    const [outs, each] = [scale.length, weights.length / scale.length];
    const kernel = new Float64Array(weights.length);
    for (let i = 0; i < kernel.length; i++) {
      const out = i % outs;
      kernel[out * each + (i - out) / outs] = step(weights.charCodeAt(i)) * scale[out];
    }
    return { strides, kernel, bias };
  };

  // A network of the scripts that were loaded.
  const network = (name) => {
    const [stem, ...rest] = live[name].map(layer);
    const dense = rest.pop();
    const blocks = [];
    while (rest.length) blocks.push(rest.splice(0, 2));
    return { stem, blocks, dense, hasShortcuts: name.startsWith("resnet") };
  };

  // The weights of an output channel are side by side, and so are the values under the kernel.
  const convolve = (x, side, { strides, kernel, bias }) => {
    const [outs, ins, size] = [bias.length, x.length / side ** 2, side / strides];
    const y = new Float64Array(size ** 2 * outs);
    const under = new Float64Array(9 * ins);
    for (let row = 0, at = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        for (let tap = 0; tap < 9; tap++) {
          const r = row * strides + Math.floor(tap / 3) - 1;
          const c = column * strides + (tap % 3) - 1;
          const outside = r < 0 || c < 0 || r >= side || c >= side;
          const from = (r * side + c) * ins;
          for (let i = 0; i < ins; i++) under[tap * ins + i] = outside ? 0 : x[from + i];
        }
        for (let o = 0, k = 0; o < outs; o++, at++) {
          let sum = bias[o];
          for (let i = 0; i < under.length; i++, k++) sum += under[i] * kernel[k];
          y[at] = sum;
        }
      }
    }
    return y;
  };

  const relu = (x) => x.map((value) => Math.max(value, 0));

  // The identity; where a block halves the size, every second pixel, and zeros as new channels.
  const shortcut = (x, side, { strides, bias }) => {
    if (strides === 1) return x;
    const [ins, outs, size] = [x.length / side ** 2, bias.length, side / strides];
    const y = new Float64Array(size ** 2 * outs);
    for (let pixel = 0; pixel < size ** 2; pixel++) {
      const from = (Math.floor(pixel / size) * side + (pixel % size)) * strides * ins;
      y.set(x.subarray(from, from + ins), pixel * outs + (outs - ins) / 2);
    }
    return y;
  };

  // Whether a block halves the size.
  const opens = (block) => block > 0 && block % PER_STAGE === 0;
  // A plain network has nothing else that halves it.
  const canGo = (net, block) => net.hasShortcuts || !opens(block);

  // From 64 pixels to ten probabilities. places[i] is the block in place i, or -1 where there is
  // none; `watch` sees what goes into each block, what its convolutions add, and what comes out.
  const answer = (net, pixels, places, watch = () => {}) => {
    let [x, side] = [relu(convolve(pixels, 8, net.stem)), 8];
    places.forEach((chosen, place) => {
      const [first, second] = net.blocks[chosen < 0 ? place : chosen];
      let branch = null;
      let y = shortcut(x, side, first);
      if (chosen >= 0 || !canGo(net, place)) {
        branch = convolve(relu(convolve(x, side, first)), side / first.strides, second);
        y = relu(net.hasShortcuts ? branch.map((value, i) => value + y[i]) : branch);
      }
      watch({ place, x, branch, y, side: side / first.strides });
      [x, side] = [y, side / first.strides];
    });
    return probabilities(net.dense, x, side ** 2);
  };

  const probabilities = ({ kernel, bias }, x, pixels) => {
    const channels = x.length / pixels;
    const scores = bias.map((value, digit) => {
      for (let i = 0; i < x.length; i++) value += (x[i] * kernel[digit * channels + (i % channels)]) / pixels;
      return value;
    });
    const most = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - most));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  };

  const best = (values) => values.indexOf(Math.max(...values));

  // Of a test digit, or of any 64 counts from 0 to 16.
  const shown = (counts) => Float64Array.from(counts, (count) => (count - live.digits.mean) / live.digits.deviation);
  const counts = (number) => Array.from(live.digits.images[number], (letter) => letter.charCodeAt(0) - 97);

  // The networks by their kind, once the scripts that one figure names are loaded.
  let loading;
  const load = () => {
    loading ??= figures.load(Object.values(document.getElementById("figure-break").dataset)).then(() => ({
      resnet: network("resnet32_cifar"),
      plain: network("plain32_cifar"),
    }));
    return loading;
  };

  const whole = Array.from({ length: 3 * PER_STAGE }, (_, place) => place);
  return { answer, best, counts, load, opens, shown, whole, PER_STAGE };
})();
