import { describe, expect, test } from 'vitest';
import { barsOf, extentOf, ticksOf } from './gantt.ts';
import { graphOf } from './graph.ts';
import { BEGIN, sampleMember, sampleWorkflow, wideWorkflow } from './sample-workflow.ts';
import { foldable, rowWindow, visibleRows } from './visible-rows.ts';
import { totalsInOrder } from './workflow-look.ts';

/** root → a → a1; root → b */
const small = sampleWorkflow(
  [
    sampleMember('root', 0, { descendants: 3 }),
    sampleMember('a', 2, { parent: 0, depth: 1, descendants: 1 }),
    sampleMember('a1', 4, { parent: 1, depth: 2 }),
    sampleMember('b', 3, { parent: 0, depth: 1 }),
  ],
  [0, 1, 2],
);

describe('rows', () => {
  test('leave out what descends from a folded task', () => {
    expect(visibleRows(small.members, new Set())).toEqual([0, 1, 2, 3]);
    expect(visibleRows(small.members, new Set(['a']))).toEqual([0, 1, 3]);
    expect(visibleRows(small.members, new Set(['a', 'root']))).toEqual([0]);
    expect(foldable(small.members)).toEqual(['a']);
  });

  test('in view are few, however many there are', () => {
    const view = { height: 600, rowHeight: 30 };
    expect(rowWindow({ ...view, top: 0 }, 5_000)).toEqual({ from: 0, to: 30 });
    expect(rowWindow({ ...view, top: 60_000 }, 5_000)).toEqual({ from: 1_990, to: 2_030 });
    expect(rowWindow({ ...view, top: 149_400 }, 5_000)).toEqual({ from: 4_970, to: 5_000 });
    // rows were folded away while it was scrolled down
    expect(rowWindow({ ...view, top: 60_000 }, 3)).toEqual({ from: 3, to: 3 });
  });
});

describe('bars', () => {
  const kinds = (member: Parameters<typeof barsOf>[0], now = BEGIN + 60) =>
    barsOf(member, now).map(({ kind, from, to, tone, open }) => [kind, from - BEGIN, to - BEGIN, tone, open]);

  test('tell waiting from running, and what goes on from what is over', () => {
    expect(kinds(sampleMember('a', 0))).toEqual([
      ['wait', 0, 1, 'idle', false],
      ['run', 1, 2, 'ok', false],
    ]);
    const open = { state: 'STARTED', finished_at: null };
    expect(kinds(sampleMember('a', 0, open))[1]).toEqual(['run', 1, 60, 'run', true]);
    const queued = { state: 'PENDING', started_at: null, finished_at: null };
    expect(kinds(sampleMember('a', 0, queued))).toEqual([['wait', 0, 60, 'idle', true]]);
    expect(kinds(sampleMember('a', 0, { ...queued, state: 'REVOKED', finished_at: BEGIN + 5 }))).toEqual([
      ['wait', 0, 5, 'idle', false],
    ]);
  });

  test('show each attempt by itself', () => {
    const run = (from: number, to: number | null, state: string) => ({
      ...{ started_at: BEGIN + from, ended_at: to === null ? null : BEGIN + to, state },
    });
    const runs = [run(1, 2, 'RETRY'), run(9, null, 'STARTED'), run(20, null, 'STARTED')];
    expect(kinds(sampleMember('a', 0, { runs, state: 'STARTED', finished_at: null }))).toEqual([
      ['wait', 0, 1, 'idle', false],
      ['run', 1, 2, 'warn', false],
      // its end was not heard: the next begins
      ['run', 9, 20, 'run', false],
      ['run', 20, 60, 'run', true],
    ]);
  });

  test('have no negative length, and none without a time', () => {
    expect(kinds(sampleMember('a', 5, { started_at: BEGIN + 3, finished_at: BEGIN + 2 }))).toEqual([
      ['wait', 5, 5, 'idle', false],
      ['run', 3, 3, 'ok', false],
    ]);
    const none = { sent_at: null, received_at: null, started_at: null, finished_at: null };
    expect(kinds(sampleMember('a', 0, none))).toEqual([]);
    expect(extentOf(sampleWorkflow([sampleMember('a', 0, none)]), BEGIN)).toBeNull();
    expect(extentOf(small, BEGIN)).toEqual({ from: BEGIN, to: BEGIN + 6 });
  });

  test.each([
    [6, 8, ['0', '+1 s', '+2 s', '+3 s', '+4 s', '+5 s', '+6 s']],
    [0.05, 6, ['0', '+10 ms', '+20 ms', '+30 ms', '+40 ms', '+50 ms']],
    [7_000, 5, ['0', '+30 m 00 s', '+1 h 00 m', '+1 h 30 m']],
    [30 * 86_400, 5, ['0', '+8 d 0 h', '+16 d 0 h', '+24 d 0 h']],
  ])('an axis of %s s has at most %s marks', (seconds, most, labels) => {
    expect(ticksOf(seconds, most).map(({ label }) => label)).toEqual(labels);
  });
});

describe('the graph', () => {
  test('stands each task behind its parent, and stresses the critical path', () => {
    const { nodes, edges } = graphOf(small, new Set());
    const of = new Map(nodes.map((node) => [node.member?.task_id, node]));
    const [root, a, a1, b] = ['root', 'a', 'a1', 'b'].map((id) => of.get(id));
    expect(nodes).toHaveLength(4);
    expect([a?.x, a1?.x, b?.x].map((x) => (x ?? 0) / (a?.x ?? 1))).toEqual([1, 2, 1]);
    expect(root?.y).toBe(((a?.y ?? 0) + (b?.y ?? 0)) / 2);
    expect(nodes.filter(({ critical }) => critical).map(({ name }) => name)).toEqual([
      'shop.a1',
      'shop.a',
      'shop.root',
    ]);
    expect(edges.map(({ critical }) => critical).sort()).toEqual([false, true, true]);
  });

  test('draws many siblings of a name as one, and some of them when unfolded', () => {
    const wide = wideWorkflow(5_000);
    const { nodes } = graphOf(wide, new Set());
    expect(nodes.map(({ kind, count, name, totals }) => [kind, count, name, totals['SUCCESS']])).toEqual([
      ['alike', 5_000, 'shop.step', 5_000],
      ['one', 1, 'shop.root', 1],
    ]);
    const unfolded = graphOf(wide, new Set([nodes[0]?.key ?? '']));
    expect(unfolded.nodes).toHaveLength(42);
    expect(unfolded.nodes.find(({ kind }) => kind === 'rest')).toMatchObject({ count: 4_960 });
    const keys = unfolded.nodes.map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('ends a chain that is too long with how much follows', () => {
    const length = 3_000;
    const chain = Array.from({ length }, (_, index) =>
      sampleMember(`t${index}`, index, {
        ...{ parent: index === 0 ? null : index - 1, depth: index, descendants: length - 1 - index },
      }),
    );
    const { nodes } = graphOf(sampleWorkflow(chain), new Set());
    expect(nodes).toHaveLength(61);
    expect(nodes[0]).toMatchObject({ kind: 'below', count: length - 60 });
  });
});

test('totals tell first what is wrong', () => {
  expect(totalsInOrder({ SUCCESS: 3, MINE: 1, FAILURE: 2, STARTED: 1, RETRY: 0 }).map(({ state }) => state)).toEqual([
    ...['FAILURE', 'MINE', 'STARTED', 'SUCCESS'],
  ]);
});
