import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { resolveColours } from './palette.ts';
import { stack, type ChartGap, type ChartSeries } from './series.ts';

export interface PlotData {
  /** Unix seconds at which each bucket begins. */
  readonly times: readonly number[];
  readonly bucketSeconds: number;
  /** Drawn from the bottom up. */
  readonly series: readonly ChartSeries[];
  readonly gaps: readonly ChartGap[];
}

export interface PlotOptions {
  readonly height: number;
  readonly format: (value: number) => string;
  /** The bucket under the pointer and its place in the chart, or null when it left. */
  readonly onPoint: (point: { readonly index: number; readonly left: number } | null) => void;
}

/** Stacked bars over time on a canvas. Make a new one when the theme or the series change; `update` is for new values. */
export class BarPlot implements Disposable {
  readonly #host: HTMLElement;
  readonly #plot: uPlot;
  readonly #resize: ResizeObserver;
  #data: PlotData;

  constructor(host: HTMLElement, data: PlotData, options: PlotOptions) {
    this.#host = host;
    this.#data = data;
    this.#plot = new uPlot(this.#options(options), aligned(data), host);
    this.#resize = new ResizeObserver(() => {
      this.#plot.setSize({ width: host.clientWidth, height: options.height });
    });
    this.#resize.observe(host);
  }

  update(data: PlotData): void {
    this.#data = data;
    this.#plot.setData(aligned(data));
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
    const bars = uPlot.paths.bars?.({ size: [0.82, 26], align: 1, radius: 0 });
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
      series: [
        {},
        // the tallest sum is drawn first, so that each lower one covers its part
        ...fills.toReversed().map((fill): uPlot.Series => ({
          fill,
          width: 0,
          ...(bars === undefined ? {} : { paths: bars }),
          points: { show: false },
        })),
      ],
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

function aligned(data: PlotData): uPlot.AlignedData {
  return [[...data.times], ...stack(data.series.map((series) => series.values)).toReversed()];
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
