// The page's behaviour: draws the charts with uPlot from the JSON in #charts, and adds copy buttons and the place in the contents list.
// Without it the page still reads whole, but for the curves.
"use strict";
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const element = (name, props = {}, ...children) => {
    const made = Object.assign(document.createElement(name), props);
    made.append(...children);
    return made;
  };
  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

  // Values: short on the axes, exact enough in the legend.
  const trim = (text) => text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  const exponent = (v, digits) => v === 0 ? "0" : trim(v.toExponential(digits).split("e")[0]) + "e" + Number(v.toExponential().split("e")[1]);
  const compact = (v) => {
    const size = Math.abs(v);
    if (size >= 1e12 || (size > 0 && size < 1e-3)) return exponent(v, 1);
    if (size >= 1e9) return trim((v / 1e9).toFixed(2)) + "G";
    if (size >= 1e6) return trim((v / 1e6).toFixed(2)) + "M";
    if (size >= 1e4) return trim((v / 1e3).toFixed(1)) + "k";
    return size >= 1e3 ? whole.format(v) : trim(v.toFixed(3));
  };
  const formats = {
    number: { axis: compact, legend: (v) => Math.abs(v) >= 1e4 || (v !== 0 && Math.abs(v) < 1e-3) ? exponent(v, 2) : v.toFixed(Math.abs(v) < 100 ? 3 : 1) },
    rate: { axis: (v) => exponent(v, 1), legend: (v) => exponent(v, 2) },
    count: { axis: compact, legend: (v) => whole.format(v) },
  };

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const steps = Array.from({ length: 15 }, (_, power) => [1, 2, 5].map((m) => m * 10 ** power)).flat();

  // The last value at or before an index: without a cursor that is the end of the curve.
  const standing = (values, index) => {
    for (let i = Math.min(index ?? values.length - 1, values.length - 1); i >= 0; i--)
      if (values[i] !== undefined) return { value: values[i], index: i };
    return null;
  };

  function seriesOptions(chart, series) {
    const format = formats[chart.format].legend;
    const color = css({ raw: "--raw", trend: "--train", validation: "--validation" }[series.role]);
    const points = series.y.filter((v) => v !== null).length;
    return {
      label: series.label,
      stroke: color,
      width: series.role === "raw" ? 1 : 2,
      points: points === 1 || (series.role === "validation" && points <= 60) || (series.role === "trend" && points <= 30)
        ? { show: true, size: 6, fill: color, stroke: color } : { show: false },
      value: (u, _, which, index) => {
        const found = standing(u.data[which], index);
        if (found === null) return "–";
        // Evaluations are rare, so uPlot takes the nearest: say which one that is.
        const elsewhere = series.role === "validation" && found.index !== (u.cursor.idx ?? found.index);
        return (found.value === null ? "not finite" : format(found.value)) + (elsewhere ? ` at ${whole.format(u.data[0][found.index])}` : "");
      },
    };
  }

  function options(chart, state, width, height) {
    const axis = { stroke: css("--soft"), font: `12px ${css("--sans")}`, labelFont: `12px ${css("--sans")}`, grid: { stroke: css("--grid"), width: 1 }, ticks: { show: false } };
    const fromZero = chart.format !== "number" || !chart.tall;
    const range = state.log ? undefined : (u, min, max) =>
      min === null ? [0, 1] : fromZero && min >= 0 ? [0, max > 0 ? max * 1.08 : 1] : uPlot.rangeNum(min, max, 0.1, true);
    return {
      width, height,
      padding: [8, 26, 0, 0],
      scales: { x: { time: false }, y: { distr: state.log ? 3 : 1, ...(range && { range }) } },
      axes: [
        { ...axis, size: 26, gap: 6, label: "step", labelSize: 18, labelGap: 0, incrs: steps, space: chart.tall ? 60 : 46, values: (_, at) => at.map((v) => v < 0 ? "" : compact(v)) },
        { ...axis, gap: 6, size: 50, label: chart.axis, labelSize: 20, labelGap: 2, space: chart.tall ? 40 : 30, values: (_, at) => at.map((v) => v === null ? "" : formats[chart.format].axis(v)) },
      ],
      series: [
        { label: "step", value: (u, _, __, index) => whole.format(u.data[0][index ?? u.data[0].length - 1]) },
        ...chart.series.map((series) => seriesOptions(chart, series)),
      ],
      cursor: { sync: { key: chart.group, scales: ["x", null], setSeries: false }, drag: { x: true, y: false }, y: false, points: { size: 7 } },
      legend: { mount: (_, table) => state.legend.replaceChildren(table) },
      hooks: {
        setSeries: [(u) => labelLegend(u, state)],
        setScale: [(u, key) => {
          const x = u.data[0];
          if (key === "x") state.reset.hidden = u.scales.x.min <= x[0] && u.scales.x.max >= x[x.length - 1];
        }],
      },
    };
  }

  // uPlot's legend toggles its series by mouse; this makes it a row of buttons for the keyboard and for screen readers.
  function labelLegend(u, state) {
    $$("table, tbody, tr, td", state.legend).forEach((part) => part.setAttribute("role", "presentation"));
    $$("th", state.legend).forEach((label, index) => {
      if (index === 0 || u.series.length === 2) {
        label.classList.add("plain");
        label.setAttribute("role", "presentation");
        return;
      }
      label.tabIndex = 0;
      label.setAttribute("role", "button");
      label.setAttribute("aria-pressed", String(u.series[index].show));
      label.title = "Show or hide";
      label.onkeydown = (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        label.click();
      };
    });
  }

  // Arrow keys move the cursor from point to point, as the mouse does.
  function moveByKey(event, u, announce) {
    const x = u.data[0];
    const last = x.length - 1;
    const index = u.cursor.idx ?? last;
    const stride = event.shiftKey ? Math.max(1, Math.round(x.length / 20)) : 1;
    const target = { ArrowLeft: index - stride, ArrowRight: index + stride, Home: 0, End: last }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const to = Math.min(last, Math.max(0, target));
    u.setCursor({ left: u.valToPos(x[to], "x"), top: u.over.clientHeight / 2 }, true, true);
    announce.textContent = u.series.map((s, i) => `${s.label} ${s.value(u, null, i, to)}`).join(", ");
  }

  function mount(chart) {
    const plot = document.getElementById(chart.id);
    const caption = plot.parentElement.querySelector("figcaption");
    const state = {
      log: chart.log,
      legend: element("div", { className: "legend" }),
      reset: element("button", { type: "button", textContent: "Reset zoom", hidden: true }),
    };
    const tools = element("div", { className: "tools" }, state.reset);
    const announce = element("div", { className: "quiet" });
    announce.setAttribute("aria-live", "polite");
    plot.before(state.legend);
    caption.append(tools, announce);
    const data = uPlot.join(chart.series.map((series) => [series.x, series.y]));
    let u = null;
    const draw = () => {
      u?.destroy();
      u = new uPlot(options(chart, state, plot.clientWidth, plot.clientHeight), data, plot);
      labelLegend(u, state);
      u.setLegend({ idx: null }); // with no cursor the legend says the last values
    };
    if (chart.canLog && chart.format === "number") {
      const log = element("button", { type: "button", textContent: "Log scale" });
      const show = () => log.setAttribute("aria-pressed", String(state.log));
      log.onclick = () => { state.log = !state.log; show(); draw(); };
      show();
      tools.append(log);
    }
    state.reset.onclick = () => { u.setScale("x", { min: data[0][0], max: data[0][data[0].length - 1] }); plot.focus(); };
    plot.addEventListener("keydown", (event) => moveByKey(event, u, announce));
    plot.addEventListener("blur", () => u.setCursor({ left: -10, top: -10 }, true, true));
    draw();
    new ResizeObserver(() => requestAnimationFrame(() => {
      if (plot.clientWidth !== u.width || plot.clientHeight !== u.height) u.setSize({ width: plot.clientWidth, height: plot.clientHeight });
    })).observe(plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  function addCopyButtons() {
    if (!navigator.clipboard) return;
    for (const block of $$(".command")) {
      const button = element("button", { type: "button", textContent: "Copy" });
      button.onclick = async () => {
        try {
          await navigator.clipboard.writeText(block.querySelector("code").textContent);
          button.textContent = "Copied";
        } catch {
          button.textContent = "Not allowed";
        }
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      };
      block.append(button);
    }
  }

  function followContents() {
    const links = $$(".contents a");
    const targets = links.map((link) => document.getElementById(link.hash.slice(1)));
    let waiting = false;
    const mark = () => {
      waiting = false;
      const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 4;
      const current = atEnd && scrollY > 0 ? targets.length - 1 : targets.findLastIndex((target) => target.getBoundingClientRect().top < innerHeight / 4);
      links.forEach((link, i) => i === Math.max(0, current) ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current"));
    };
    addEventListener("scroll", () => { if (!waiting) { waiting = true; requestAnimationFrame(mark); } }, { passive: true });
    mark();
    const narrow = matchMedia("(max-width: 62rem)");
    const fold = () => { document.querySelector(".contents details").open = !narrow.matches; };
    narrow.addEventListener("change", fold);
    fold();
  }

  JSON.parse(document.getElementById("charts").textContent).forEach(mount);
  addCopyButtons();
  followContents();
})();
