import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { resolveColours } from './palette.ts';
import { lonely, stack, type ChartGap, type ChartMark, type ChartSeries } from './series.ts';
import type { UnitLook } from './unit.ts';

export interface PlotData {
  /** Unix seconds at which each bucket begins. */
  readonly times: readonly number[];
  readonly bucketSeconds: number;
  /** Bars and areas are drawn from the bottom up. */
  readonly series: readonly ChartSeries[];
  readonly gaps: readonly ChartGap[];
  readonly marks: readonly ChartMark[];
}

export interface PlotOptions {
  /** Bars and areas are stacked; lines stand for themselves, and end where a value is not known. */
  readonly as: 'bars' | 'areas' | 'lines';
  readonly height: number;
  readonly unit: UnitLook;
  /** The bucket under the pointer and its place in the chart, or null when it left. */
  readonly onPoint: (point: { readonly index: number; readonly left: number } | null) => void;
  /** Told of what was drawn over with the pointer, Unix seconds; null: it cannot be. */
  readonly onZoom: ((from: number, to: number) => void) | null;
  /** Told of the bucket that was clicked; null: it cannot be. */
  readonly onPick: ((index: number) => void) | null;
}

/** A pointer that moves less than this clicks, pixels. */
const CLICK = 5;

/** Bars, areas or lines over time on a canvas. Make a new one when the theme or the series change; `update` is for new values. */
export class TimePlot implements Disposable {
  readonly #host: HTMLElement;
  readonly #plot: uPlot;
  readonly #resize: ResizeObserver;
  readonly #as: PlotOptions['as'];
  #data: PlotData;

  constructor(host: HTMLElement, data: PlotData, options: PlotOptions) {
    this.#host = host;
    this.#data = data;
    this.#as = options.as;
    this.#plot = new uPlot(this.#options(options), aligned(data, options.as), host);
    if (options.onPick !== null) this.#watchClicks(options.onPick);
    this.#resize = new ResizeObserver(() => {
      this.#plot.setSize({ width: host.clientWidth, height: options.height });
    });
    this.#resize.observe(host);
  }

  update(data: PlotData): void {
    this.#data = data;
    this.#plot.setData(aligned(data, this.#as));
  }

  [Symbol.dispose](): void {
    this.#resize.disconnect();
    this.#plot.destroy();
  }

  #options(options: PlotOptions): uPlot.Options {
    const { unit, onZoom } = options;
    const [text = '', line = '', gap = '', mark = ''] = resolveColours(this.#host, [
      '--text-3',
      '--line-soft',
      '--warn-solid',
      '--off-solid',
    ]);
    const font = `11px ${getComputedStyle(this.#host).fontFamily}`;
    return {
      width: this.#host.clientWidth,
      height: options.height,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: onZoom !== null, y: false, setScale: false, dist: CLICK },
      },
      scales: {
        x: { time: true, range: () => this.#span() },
        y: { range: (_plot, _min, max) => [0, Math.max((max || 0) * 1.08, unit.least)] },
      },
      axes: [
        {
          stroke: text,
          font,
          grid: { show: false },
          ticks: { show: false },
          // days stand beneath the hours
          size: () => (this.#isLong() ? 36 : 24),
          space: 70,
          values: [
            [86_400, '{DD} {MMM}', null, null, null, null, null, null, 1],
            [3600, '{HH}:{mm}', '\n{DD} {MMM}', null, null, null, null, null, 1],
            [1, '{HH}:{mm}', null, null, null, null, null, null, 1],
          ],
        },
        {
          stroke: text,
          font,
          grid: { stroke: line, width: 1 },
          ticks: { show: false },
          size: 50,
          space: 34,
          incrs: [...unit.steps],
          values: (_plot, splits) => splits.map(unit.tick),
        },
      ],
      series: [{}, ...this.#drawn(options.as)],
      hooks: {
        drawClear: [
          (plot) => {
            for (const each of this.#data.gaps) hatch(plot, each, gap);
          },
        ],
        draw: [
          (plot) => {
            for (const each of this.#data.marks) flag(plot, each.at, mark);
          },
        ],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width <= 0) return;
            const [from, to] = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')];
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            onZoom?.(from, to);
          },
        ],
        setCursor: [
          (plot) => {
            const { left, idx } = plot.cursor;
            if (left === undefined || left < 0 || idx === null || idx === undefined) options.onPoint(null);
            else
              options.onPoint({ index: this.#bucketAt(plot.posToVal(left, 'x')), left: left + plot.over.offsetLeft });
          },
        ],
      },
    };
  }

  #drawn(as: PlotOptions['as']): uPlot.Series[] {
    const { series } = this.#data;
    const colours = series.map(({ colour }) => colour);
    const solid = resolveColours(this.#host, colours);
    const faint = resolveColours(this.#host, colours, as === 'areas' ? 0.45 : 0.12);
    const bars = uPlot.paths.bars?.({ size: [0.82, 26], align: 1, radius: 0 });
    return order(series, as).map((index): uPlot.Series => {
      const stroke = solid[index] ?? '';
      const fill = faint[index] ?? stroke;
      if (series[index]?.dashed) return { stroke, width: 1.5, dash: [5, 4], points: { show: false } };
      if (as === 'bars') return { fill: stroke, width: 0, ...(bars ? { paths: bars } : {}), points: { show: false } };
      if (as === 'areas') return { stroke, width: 1, fill, points: { show: false } };
      const points = { show: true, size: 5, fill: stroke };
      return {
        ...{ stroke, width: 1.75, ...(series.length === 1 ? { fill } : {}) },
        points: { ...points, filter: (plot, place) => lonely([...(plot.data[place] ?? [])]) },
      };
    });
  }

  #watchClicks(onPick: (index: number) => void): void {
    const { over } = this.#plot;
    let began = 0;
    over.style.cursor = 'pointer';
    over.addEventListener('mousedown', ({ clientX }) => (began = clientX));
    over.addEventListener('click', ({ clientX, offsetX }) => {
      if (Math.abs(clientX - began) < CLICK) onPick(this.#bucketAt(this.#plot.posToVal(offsetX, 'x')));
    });
  }

  #isLong(): boolean {
    const [from, to] = this.#span();
    return to - from > 86_400;
  }

  #span(): [number, number] {
    const { times, bucketSeconds } = this.#data;
    const first = times[0] ?? 0;
    return [first, (times.at(-1) ?? first) + bucketSeconds];
  }

  #bucketAt(at: number): number {
    const { times, bucketSeconds } = this.#data;
    const index = Math.floor((at - (times[0] ?? 0)) / bucketSeconds);
    return Math.min(times.length - 1, Math.max(0, index));
  }
}

/** Places of the series as they are drawn: of what is stacked the tallest sum first, so that each lower one covers its part. */
function order(series: readonly ChartSeries[], as: PlotOptions['as']): number[] {
  const places = series.map((_, index) => index);
  const own = places.filter((index) => !series[index]?.dashed);
  const dashed = places.filter((index) => series[index]?.dashed);
  return [...(as === 'lines' ? own : own.toReversed()), ...dashed];
}

function aligned({ times, series }: PlotData, as: PlotOptions['as']): uPlot.AlignedData {
  const own = series.filter(({ dashed }) => !dashed).map(({ values }) => values);
  const drawn = as === 'lines' ? own.map((values) => [...values]) : stack(own).toReversed();
  return [[...times], ...drawn, ...series.flatMap(({ dashed, values }) => (dashed ? [[...values]] : []))];
}

/** A moment: a line from top to bottom with a flag. */
function flag(plot: uPlot, at: number, colour: string): void {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(at, 'x', true));
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  const size = 6 * uPlot.pxRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x + size * 1.4, bbox.top + size / 2);
  ctx.lineTo(x, bbox.top + size);
  ctx.fill();
  ctx.restore();
}

/** Lossy spans are hatched over the full height: a missing bar there is not a fact. */
function hatch(plot: uPlot, gap: ChartGap, colour: string): void {
  const { ctx, bbox } = plot;
  const from = Math.max(bbox.left, plot.valToPos(gap.from, 'x', true));
  const to = Math.min(bbox.left + bbox.width, plot.valToPos(gap.to, 'x', true));
  if (to < bbox.left || from > bbox.left + bbox.width) return;
  const width = Math.max(3 * uPlot.pxRatio, to - from);
  const step = 6 * uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(from, bbox.top, width, bbox.height);
  ctx.clip();
  ctx.globalAlpha = 0.12;
  ctx.fillStyle = colour;
  ctx.fillRect(from, bbox.top, width, bbox.height);
  ctx.globalAlpha = 0.7;
  ctx.strokeStyle = colour;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.beginPath();
  for (let x = from - bbox.height; x < from + width; x += step) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}
