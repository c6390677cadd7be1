import { SupervisedProcess, type ProcessContext, type ProcessSpec } from './process.ts';

export type ProcessState = SupervisedProcess['state'];

export interface Supervisor {
  /**
   * Starts every process once those it comes after are ready. Resolves when all that are not optional are ready.
   * @throws StartFailedError when one of them cannot be brought up; call `stop` then.
   */
  start(): Promise<void>;
  /** Stops in reverse order: each process once those that came after it are gone. */
  stop(): Promise<void>;
  /** Kills everything that still runs; `stop` then returns soon. */
  kill(): void;
  /** How each process stands, in the order of the plan. */
  readonly states: readonly ProcessState[];
}

/** @throws when `after` names an unknown process or goes round in circles. */
export function createSupervisor(specs: readonly ProcessSpec[], context: ProcessContext): Supervisor {
  const processes = new Map(specs.map((spec) => [spec.name, new SupervisedProcess(spec, context)]));
  const dependencies = (one: SupervisedProcess): SupervisedProcess[] =>
    (one.spec.after ?? []).map((name) => {
      const found = processes.get(name);
      if (found === undefined) throw new Error(`${one.spec.name} comes after ${name}, which does not exist`);
      return found;
    });
  checkOrder(specs, processes);
  let stopping: Promise<void> | null = null;

  const bringUp = async (one: SupervisedProcess): Promise<void> => {
    await Promise.all(dependencies(one).map((dependency) => dependency.firstReady));
    if (stopping === null) one.start();
    await one.firstReady;
  };

  const takeDown = async (): Promise<void> => {
    const down = new Map<SupervisedProcess, Promise<void>>();
    const stopOne = (one: SupervisedProcess): Promise<void> => {
      const known = down.get(one);
      if (known !== undefined) return known;
      const dependents = [...processes.values()].filter((other) => dependencies(other).includes(one));
      const stopped = Promise.all(dependents.map(stopOne)).then(() => one.stop());
      down.set(one, stopped);
      return stopped;
    };
    await Promise.all([...processes.values()].map(stopOne));
  };

  return {
    async start() {
      const all = [...processes.values()];
      const needed = all.filter((one) => one.spec.optional !== true).map(bringUp);
      for (const one of all) if (one.spec.optional === true) bringUp(one).catch(() => undefined);
      await Promise.all(needed);
    },
    stop: () => (stopping ??= takeDown()),
    kill() {
      for (const one of processes.values()) one.kill();
    },
    get states() {
      return [...processes.values()].map((one) => one.state);
    },
  };
}

function checkOrder(specs: readonly ProcessSpec[], known: ReadonlyMap<string, unknown>): void {
  const placed = new Set<string>();
  let open = [...specs];
  while (open.length > 0) {
    const next = open.filter((spec) => (spec.after ?? []).every((name) => placed.has(name)));
    if (next.length === 0) {
      const names = open.map((spec) => `${spec.name} after ${(spec.after ?? []).join(', ')}`);
      const unknown = open.flatMap((spec) => spec.after ?? []).find((name) => !known.has(name));
      throw new Error(unknown === undefined ? `circular order: ${names.join('; ')}` : `unknown process ${unknown}`);
    }
    for (const spec of next) placed.add(spec.name);
    open = open.filter((spec) => !placed.has(spec.name));
  }
}
