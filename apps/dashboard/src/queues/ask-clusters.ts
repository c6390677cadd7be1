/** Browsers allow six connections to a server: the page's own questions need some. */
const AT_A_TIME = 3;
const DEADLINE_MS = 5_000;

/** Asks each cluster, a few at a time, each with a deadline. Those that fail are left out. */
export async function askClusters<Answer>(
  clusters: readonly string[],
  ask: (cluster: string, signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  const left = [...clusters];
  const one = async (): Promise<void> => {
    for (let cluster = left.shift(); cluster !== undefined && !signal.aborted; cluster = left.shift()) {
      try {
        answers.set(cluster, await ask(cluster, AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])));
      } catch {
        // a cluster that cannot be asked takes nothing from the others
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, one));
  return answers;
}
