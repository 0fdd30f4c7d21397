// What a network of "Break it" answers: the digit, how sure it is of each, and how many it gets wrong.
"use strict";

figures.panel = (kind) => {
  const { element, set, words } = figures;
  const say = words({
    resnet: ["Residual network", "残差网络"],
    plain: ["Plain network", "普通网络"],
    says: ["says", "认为是"],
    wrong: ["wrong", "错"],
    error: ["of {n} test digits wrong", "错误率（{n} 张测试图片）"],
    counting: ["wrong so far, of {n} test digits", "错误率，正在测：已测 {n} 张"],
  });
  const digit = element("output", { class: "digit" });
  const cross = element("span", { class: "cross" });
  const bars = Array.from({ length: 10 }, () => element("span", { class: "bar" }));
  const list = element("div", { class: "bars", role: "img" }, bars.map((bar, n) =>
    element("div", { class: "row" }, element("span", {}, String(n)), element("span", { class: "track" }, bar))));
  const error = element("output", { class: "error" });
  const counted = element("span", {});
  const gauge = element("span", { class: "bar" });
  const node = element("section", { class: `panel ${kind}` },
    element("h3", {}, say(kind)), element("p", {}, say("says"), " ", digit, " ", cross), list,
    element("p", { class: "errors" }, error, " ", counted), element("div", { class: "track" }, gauge));

  // The answer to a digit, of which the label may be known, or none if nothing is drawn.
  const show = (found, label) => {
    const said = found && String(networks.best(found));
    digit.textContent = said ?? "?";
    cross.textContent = said && label && label !== said ? `✗ ${say("wrong")}` : "";
    const shares = found ?? Array(10).fill(0);
    shares.forEach((share, n) => set(bars[n], { style: `width:${100 * share}%` }));
    const values = shares.map((share, n) => `${n} ${Math.round(100 * share)}%`).join(", ");
    set(list, { "aria-label": `${say(kind)}: ${values}` });
  };

  const count = (wrong, n, all) => {
    error.textContent = `${((100 * wrong) / n).toFixed(1)}%`;
    counted.textContent = say(n < all ? "counting" : "error", { n, all });
    set(gauge, { style: `width:${(100 * wrong) / n}%` });
  };
  return { node, show, count };
};
