// A square to draw a digit in, which makes 8x8 pixels of it.
"use strict";

figures.pad = (label, change) => {
  const { element, set } = figures;
  const DOTS = 32;
  const WIDTH = 26; // at most, in dots: few digits of the data are wider
  const RADIUS = 3.5; // of the pen, in dots: as thick as the lines of the data
  let strokes = [];

  const ink = element("path", { class: "ink" });
  const hint = element("text", { x: DOTS / 2, y: DOTS / 2 + 1, "text-anchor": "middle" }, label);
  const attributes = { viewBox: `0 0 ${DOTS} ${DOTS}`, class: "pad", role: "img", "aria-label": label };
  const node = element("svg", attributes, hint, ink);

  // As the data were made (E. Alpaydin and C. Kaynak, 1998): 32x32 dots, the digit as high as they
  // are, and of each 4x4 how many are black.
  const pixels = () => {
    const points = strokes.flat();
    const centre = [0, 1].map((axis) => points.map((point) => point[axis]))
      .map((values) => [Math.min(...values), Math.max(...values)]);
    const [width, height] = centre.map(([low, high]) => high - low);
    const high = (DOTS - 2 * RADIUS) / Math.max(height, width / 4, 4);
    const scale = [Math.min(high, (WIDTH - 2 * RADIUS) / Math.max(width, 1)), high];
    const placed = (point) => point.map((value, axis) =>
      (value - (centre[axis][0] + centre[axis][1]) / 2) * scale[axis] + DOTS / 2);
    const black = new Set();
    for (const stroke of strokes) {
      let before = placed(stroke[0]);
      for (const point of stroke.map(placed)) {
        const steps = Math.ceil(2 * Math.hypot(point[0] - before[0], point[1] - before[1])) || 1;
        for (let s = 1; s <= steps; s++) {
          blacken(black, ...point.map((value, axis) => before[axis] + ((value - before[axis]) * s) / steps));
        }
        before = point;
      }
    }
    const counts = Array(64).fill(0);
    for (const dot of black) counts[Math.floor(dot / (4 * DOTS)) * 8 + Math.floor((dot % DOTS) / 4)] += 1;
    return counts;
  };

  const blacken = (black, x, y) => {
    for (let row = Math.floor(y - RADIUS); row <= y + RADIUS; row++) {
      for (let column = Math.floor(x - RADIUS); column <= x + RADIUS; column++) {
        const inside = row >= 0 && column >= 0 && row < DOTS && column < DOTS;
        if (inside && Math.hypot(column + 0.5 - x, row + 0.5 - y) < RADIUS) black.add(row * DOTS + column);
      }
    }
  };

  const show = () => {
    set(hint, { visibility: strokes.length ? "hidden" : "visible" });
    set(ink, { d: strokes.map((stroke) => `M${stroke.map((point) => point.map((v) => v.toFixed(1))).join("L")}h.01`).join("") });
  };

  const clear = () => {
    strokes = [];
    show();
  };

  const at = (event) => {
    const box = node.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * DOTS, ((event.clientY - box.top) / box.height) * DOTS];
  };
  const draw = () => {
    show();
    change(pixels());
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    strokes.push([at(event)]);
    draw();
  });
  node.addEventListener("pointermove", (event) => {
    if (!node.hasPointerCapture(event.pointerId)) return;
    strokes.at(-1).push(at(event));
    draw();
  });
  return { node, clear };
};
