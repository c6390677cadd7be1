import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { resolveColours } from '../chart/palette.ts';
import { lonely } from '../chart/series.ts';
import { SERIES_COLOURS, type ChartKind, type Drawing } from './chart-choice.ts';

export interface ResultPlotOptions {
  readonly kind: ChartKind;
  readonly height: number;
  /** A figure at the axis. */
  readonly format: (value: number) => string;
  /** The place under the pointer, or null when it left. */
  readonly onPoint: (point: { readonly index: number; readonly left: number } | null) => void;
}

/** A result on a canvas. Make a new one when anything but the width changes. Times are drawn as the table has them. */
export class ResultPlot implements Disposable {
  readonly #plot: uPlot;
  readonly #resize: ResizeObserver;

  constructor(host: HTMLElement, drawing: Drawing, options: ResultPlotOptions) {
    const data: uPlot.AlignedData = [[...drawing.x], ...drawing.series.map(({ values }) => [...values])];
    this.#plot = new uPlot(optionsOf(host, drawing, options), data, host);
    this.#resize = new ResizeObserver(() => {
      this.#plot.setSize({ width: host.clientWidth, height: options.height });
    });
    this.#resize.observe(host);
  }

  [Symbol.dispose](): void {
    this.#resize.disconnect();
    this.#plot.destroy();
  }
}

function optionsOf(host: HTMLElement, drawing: Drawing, options: ResultPlotOptions): uPlot.Options {
  const colours = SERIES_COLOURS.slice(0, drawing.series.length);
  const [text = '', line = '', ...strokes] = resolveColours(host, ['--text-3', '--line-soft', ...colours]);
  const fills = resolveColours(host, colours, 0.14);
  const font = `11px ${getComputedStyle(host).fontFamily}`;
  const axis: uPlot.Axis = { stroke: text, font, ticks: { show: false } };
  const { scale, labels } = drawing;
  return {
    width: host.clientWidth,
    height: options.height,
    padding: [8, 30, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: options.kind !== 'bar' }, drag: { x: false, y: false } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    scales: {
      x: { time: scale === 'time', range: (_plot, min, max) => spread(drawing, options.kind, min, max) },
      y: { range: (_plot, min, max) => heights(options.kind, min, max) },
    },
    axes: [
      {
        ...{ ...axis, grid: { show: false }, size: scale === 'time' ? 38 : 26, space: scale === 'category' ? 60 : 70 },
        ...(scale === 'time'
          ? { values: TIME_LABELS }
          : scale === 'category'
            ? { incrs: WHOLE, values: (_plot: uPlot, places: number[]) => places.map((place) => short(labels[place])) }
            : {}),
      },
      {
        ...axis,
        grid: { stroke: line, width: 1 },
        size: 56,
        space: 34,
        values: (_plot, splits) => splits.map(options.format),
      },
    ],
    series: [
      {},
      ...strokes.map((stroke, index) =>
        seriesOf(options.kind, { stroke, fill: fills[index] ?? stroke, index }, strokes.length),
      ),
    ],
    hooks: {
      setCursor: [
        ({ cursor: { left, idx }, over }) => {
          if (left === undefined || left < 0 || idx === null || idx === undefined) options.onPoint(null);
          else options.onPoint({ index: idx, left: left + over.offsetLeft });
        },
      ],
    },
  };
}

const TIME_LABELS: uPlot.Axis.Values = [
  [86_400, '{DD} {MMM}', null, null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{DD} {MMM}', null, null, null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', null, null, null, null, null, null, 1],
];
const WHOLE = [1, 2, 5, 10, 20, 50];

function short(label: string | undefined): string {
  if (label === undefined) return '';
  return label.length > 14 ? `${label.slice(0, 13)}…` : label;
}

/** Bars need room at both ends; a single place needs some at all. */
function spread({ x }: Drawing, kind: ChartKind, min: number, max: number): [number, number] {
  const room = kind === 'bar' ? gapOf(x) / 2 : kind === 'scatter' ? (max - min) * 0.02 : 0;
  return max - min + room === 0 ? [min - 1, max + 1] : [min - room, max + room];
}

/** The smallest distance of two neighbours. */
function gapOf(x: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (let at = 1; at < x.length; at++) least = Math.min(least, (x[at] ?? 0) - (x[at - 1] ?? 0));
  return Number.isFinite(least) && least > 0 ? least : 1;
}

/** Bars and areas begin at 0: their height is the figure. */
function heights(kind: ChartKind, min: number, max: number): [number, number] {
  const low = kind === 'bar' || kind === 'area' ? Math.min(0, min) : min;
  const high = kind === 'bar' || kind === 'area' ? Math.max(0, max) : max;
  const room = (high - low) * 0.08;
  if (room === 0) return [low - (low === 0 ? 0 : 1), high + 1];
  return [low === 0 ? 0 : low < 0 || low - room >= 0 ? low - room : 0, high === 0 ? 0 : high + room];
}

function seriesOf(
  kind: ChartKind,
  { stroke, fill, index }: { readonly stroke: string; readonly fill: string; readonly index: number },
  count: number,
): uPlot.Series {
  switch (kind) {
    case 'line':
      return { stroke, width: 1.75, points: { show: true, size: 4, fill: stroke, filter: sparse } };
    case 'area':
      return {
        stroke,
        width: 1.75,
        fill,

        points: { show: true, size: 4, fill: stroke, filter: sparse },
      };
    case 'scatter':
      return { stroke, paths: () => null, points: { show: true, size: 6, fill, width: 1 } };
    case 'bar':
      return { fill: stroke, width: 0, points: { show: false }, paths: sideBySide(index, count) };
    default:
      return kind satisfies never;
  }
}

/** Points are marked where there are few, and where no line leads to one. */
function sparse(plot: uPlot, series: number, show: boolean): number[] {
  const values = [...(plot.data[series] ?? [])];
  if (show || values.length <= 40) return values.flatMap((value, at) => (typeof value === 'number' ? [at] : []));
  return lonely(values);
}

/** Bars of several series stand beside each other: each height can be read. */
function sideBySide(index: number, count: number): uPlot.Series.PathBuilder {
  return (plot, series, from, to) => {
    const fill = new Path2D();
    const x = [...plot.data[0]];
    const values = plot.data[series] ?? [];
    const gap = Math.abs(plot.valToPos(gapOf(x), 'x', true) - plot.valToPos(0, 'x', true));
    const width = Math.min((gap * 0.8) / count, 40 * uPlot.pxRatio);
    const ground = plot.valToPos(0, 'y', true);
    for (let at = from; at <= to; at++) {
      const value = values[at];
      if (typeof value !== 'number') continue;
      const left = plot.valToPos(x[at] ?? 0, 'x', true) + (index - count / 2) * width;
      const y = plot.valToPos(value, 'y', true);
      fill.rect(left, Math.min(y, ground), Math.max(1, width - (width > 6 ? 1 : 0)), Math.abs(ground - y));
    }
    return { fill };
  };
}
