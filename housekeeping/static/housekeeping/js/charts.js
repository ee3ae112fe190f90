// Interactive charts: uPlot replaces the drawing that the server sends.
// Without this file the drawing and the table of the same numbers stay.
"use strict";

(() => {
  const root = document.documentElement;
  const sets = [];

  const KB = 1024, STEPS = [1, 2, 5];
  const decimal = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((power) => STEPS.map((step) => step * 10 ** power));
  const UNITS = {
    number: { steps: decimal, text: (value) => new Intl.NumberFormat(root.lang).format(value) },
    bytes: { steps: [1, KB, KB ** 2, KB ** 3].flatMap((unit) => [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((step) => step * unit)), text: bytes },
    ms: { steps: [...decimal.filter((step) => step < 5000), ...[5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800].map((seconds) => seconds * 1000)], text: duration },
  };

  function bytes(value) {
    const power = value ? Math.min(Math.floor(Math.log(value) / Math.log(KB)), 4) : 0;
    return `${new Intl.NumberFormat(root.lang, { maximumFractionDigits: 1 }).format(value / KB ** power)} ${["B", "KB", "MB", "GB", "TB"][power]}`;
  }

  function duration(ms) {
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60_000) return `${new Intl.NumberFormat(root.lang, { maximumFractionDigits: 1 }).format(ms / 1000)} s`;
    const minutes = Math.floor(ms / 60_000), seconds = Math.round(ms / 1000) % 60;
    return minutes < 60 ? `${minutes} min${seconds ? ` ${seconds} s` : ""}` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  // Colors are the page's own, so that a chart follows its theme.
  function color(name) {
    return getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  }

  const COLORS = { succeeded: "good", failed: "bad", cancelled: "calm", missed: "warn", p95: "calm" };

  // The bars of a day are stacked: each series is drawn with the sum of those before it.
  function stacked(values) {
    const sums = values[0].map(() => 0);
    return values.map((series) => series.map((value, place) => (sums[place] += value ?? 0)));
  }

  function draw(figure, chart) {
    const { unit, stacks, x, series } = chart, how = UNITS[unit];
    const values = series.map((one) => one.values);
    const drawn = stacks ? stacked(values) : values;
    const order = stacks ? series.map((_, place) => series.length - 1 - place) : series.map((_, place) => place);
    const place = figure.querySelector(".plot");
    const ink = color("muted"), line = color("line");
    // All charts of a page show its whole period, with a day at both ends, unless somebody drags over a part of it.
    const [first, last] = chart.period, DAY = 86_400;
    const isAll = (from, to) => from === x[0] && (x.length === 1 || to === x.at(-1));
    // y ends at a tick, so that no value is above the last one.
    const stepTo = (most) => how.steps.find((step) => most / step <= 4) ?? how.steps.at(-1);
    const top = (most) => Math.ceil(most / stepTo(most)) * stepTo(most) || how.steps[0];
    const ticks = (_, __, ___, most) => Array.from({ length: Math.round(most / stepTo(most)) + 1 }, (_, n) => n * stepTo(most));
    const bars = uPlot.paths.bars({ size: [0.7, 40] });
    const options = {
      width: place.clientWidth, height: 190, padding: [8, 20, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), chart.zone),
      // All charts follow one another: the pointer, a drag over a range, a double click.
      cursor: { y: false, sync: { key: "charts" }, drag: { x: true, y: false }, points: { show: !stacks } },
      legend: { live: true },
      scales: {
        x: { time: true, range: (_, from, to) => (isAll(from, to) ? [first - DAY, last + DAY] : [from, to]) },
        y: { range: (_, least, most) => [0, top(most || 0)] },
      },
      axes: [
        { stroke: ink, grid: { show: false }, ticks: { stroke: line, size: 4 }, font: "12px system-ui", values: dates(chart.zone) },
        { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui", size: 64, splits: ticks, values: (_, ticks) => ticks.map(how.text) },
      ],
      series: [
        { label: chart.day, value: (_, at) => (at == null ? "–" : dayOf(at, chart.zone)) },
        ...order.map((at) => ({
          label: series[at].label,
          stroke: color(COLORS[series[at].name] ?? "accent"),
          fill: chart.bars ? color(COLORS[series[at].name] ?? "accent") : undefined,
          width: chart.bars ? 0 : 2,
          points: { show: !chart.bars && x.length === 1 }, // a line needs two
          spanGaps: true,
          paths: chart.bars ? bars : undefined,
          value: (_, __, ___, index) => (index == null || values[at][index] == null ? "–" : how.text(values[at][index])),
        })),
      ],
    };
    const plot = new uPlot(options, [x, ...order.map((at) => drawn[at])], place);
    const legend = plot.root.querySelector(".u-legend"), [day, ...labels] = legend.querySelectorAll(".u-series");
    if (stacks) day.after(...labels.reverse()); // in the order of the table
    legend.setAttribute("aria-live", "polite");
    byKeys(place, plot, x.length);
    return plot;
  }

  function dayOf(at, zone) {
    return new Intl.DateTimeFormat(root.lang, { day: "numeric", month: "short", year: "numeric", timeZone: zone }).format(new Date(at * 1000));
  }

  function dates(zone) {
    const day = new Intl.DateTimeFormat(root.lang, { day: "numeric", month: "short", timeZone: zone });
    const time = new Intl.DateTimeFormat(root.lang, { hour: "2-digit", minute: "2-digit", timeZone: zone });
    return (_, ticks, __, ___, step) => ticks.map((at) => (step < 86400 ? time : day).format(new Date(at * 1000)));
  }

  // The arrow keys move from value to value, Escape leaves them.
  function byKeys(place, plot, length) {
    place.tabIndex = 0;
    place.addEventListener("keydown", (event) => {
      const at = plot.cursor.idx ?? (event.key === "ArrowLeft" ? length : -1);
      const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: length - 1 }[event.key];
      if (event.key === "Escape") plot.setCursor({ left: -10, top: -10 });
      if (next === undefined || next < 0 || next >= length) return;
      event.preventDefault();
      plot.setCursor({ left: plot.valToPos(plot.data[0][next], "x"), top: 10 });
    });
  }

  function drawAll() {
    for (const set of sets) {
      set.plot?.destroy();
      set.plot = draw(set.figure, set.chart);
    }
  }

  function begin() {
    for (const data of document.querySelectorAll("script[data-chart]")) {
      const figure = data.closest("figure");
      figure.dataset.plotted = "";
      sets.push({ figure, chart: JSON.parse(data.textContent), plot: null });
    }
    drawAll();
  }

  begin();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  new ResizeObserver(() => {
    for (const { figure, plot } of sets) {
      const width = figure.querySelector(".plot").clientWidth;
      if (plot && width !== plot.width) plot.setSize({ width, height: plot.height });
    }
  }).observe(document.body);
})();
