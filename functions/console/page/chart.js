// A line of each level over time. The picture is drawn on a canvas; what it shows is said in words beside it.

import { useEffect, useRef } from "./hooks.js";
import uPlot from "./uplot.js";
import { LEVELS } from "./format.js";
import { html } from "./ui.js";

const HEIGHT = 180;
const DARK = matchMedia("(prefers-color-scheme: dark)");

const CLOCK = new Intl.DateTimeFormat("en", { timeStyle: "medium", hour12: false });

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function options(width, range, shown) {
  const axis = { stroke: colour("faint"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range } },
    axes: [{ ...axis, space: 90, values: (_, times) => times.map((at) => CLOCK.format(at * 1000)) }, { ...axis, size: 60, values: (_, values) => values.map(shown) }],
    series: [{}, ...LEVELS.map((level) => ({ label: level.short, stroke: colour(level.short), width: 2, spanGaps: true }))],
  };
}

/** `data` is columns, as uPlot has them: times in seconds, then a column for each level, null where nothing is known. */
export function Chart({ label, data, range, shown }) {
  const place = useRef();
  const chart = useRef();
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = place.current;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(options(element.clientWidth, range, shown), latest.current, element);
    };
    const resized = new ResizeObserver(() => chart.current.setSize({ width: element.clientWidth, height: HEIGHT }));
    draw();
    resized.observe(element);
    DARK.addEventListener("change", draw);
    return () => {
      DARK.removeEventListener("change", draw);
      resized.disconnect();
      chart.current.destroy();
    };
  }, []);
  useEffect(() => chart.current.setData(data), [data]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${place}></div>`;
}

/** Which colour is which level. */
export const Legend = () => html`<ul class="legend">${LEVELS.map((level) =>
  html`<li key=${level.id}><span class=${`swatch ${level.short}`}></span>${level.short} ${level.name}</li>`)}</ul>`;
