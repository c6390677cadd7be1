import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { resolveColours } from './palette.ts';
import { lonely, stack, type ChartGap, type ChartSeries } from './series.ts';

export interface PlotData {
  /** Unix seconds at which each bucket begins. */
  readonly times: readonly number[];
  readonly bucketSeconds: number;
  /** Bars are drawn from the bottom up. */
  readonly series: readonly ChartSeries[];
  readonly gaps: readonly ChartGap[];
}

export interface PlotOptions {
  /** Bars are stacked; lines stand for themselves, and end where a value is not known. */
  readonly as: 'bars' | 'lines';
  readonly height: number;
  readonly format: (value: number) => string;
  /** The bucket under the pointer and its place in the chart, or null when it left. */
  readonly onPoint: (point: { readonly index: number; readonly left: number } | null) => void;
}

/** Bars or lines over time on a canvas. Make a new one when the theme or the series change; `update` is for new values. */
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
    const [text = '', line = '', gap = '', ...fills] = resolveColours(this.#host, [
      '--text-3',
      '--line-soft',
      '--warn-solid',
      ...this.#data.series.map((series) => series.colour),
    ]);
    const font = `11px ${getComputedStyle(this.#host).fontFamily}`;
    return {
      width: this.#host.clientWidth,
      height: options.height,
      padding: [8, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: () => this.#span() },
        y: { range: (_plot, _min, max) => [0, Math.max(max * 1.08, 4)] },
      },
      axes: [
        {
          stroke: text,
          font,
          grid: { show: false },
          ticks: { show: false },
          size: 24,
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
          size: 46,
          space: 34,
          // what is drawn are counts
          incrs: WHOLE_STEPS,
          values: (_plot, splits) => splits.map(options.format),
        },
      ],
      series: [{}, ...(options.as === 'bars' ? barsOf(fills) : this.#lines(fills))],
      hooks: {
        drawClear: [
          (plot) => {
            for (const each of this.#data.gaps) hatch(plot, each, gap);
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

  #lines(strokes: readonly string[]): uPlot.Series[] {
    const fills = resolveColours(
      this.#host,
      this.#data.series.map((series) => series.colour),
      0.12,
    );
    return strokes.map((stroke, index): uPlot.Series => ({
      ...{ stroke, width: 1.75, fill: fills[index] ?? stroke },
      points: {
        ...{ show: true, size: 5, fill: stroke },
        filter: (plot, series) => lonely([...(plot.data[series] ?? [])]),
      },
    }));
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

const WHOLE_STEPS = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

/** The tallest sum is drawn first, so that each lower one covers its part. */
function barsOf(fills: readonly string[]): uPlot.Series[] {
  const bars = uPlot.paths.bars?.({ size: [0.82, 26], align: 1, radius: 0 });
  return fills.toReversed().map((fill) => ({
    fill,
    width: 0,
    ...(bars === undefined ? {} : { paths: bars }),
    points: { show: false },
  }));
}

function aligned({ times, series }: PlotData, as: PlotOptions['as']): uPlot.AlignedData {
  if (as === 'lines') return [[...times], ...series.map(({ values }) => [...values])];
  return [[...times], ...stack(series.map(({ values }) => values)).toReversed()];
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
