import { HELP, readOptions, UsageError, type StandaloneOptions } from './options.ts';
import { runStandalone, stopRequests, type Companions } from './standalone.ts';

/** Adapts options before they are used and names what shall run beside. */
export type Prepare = (options: StandaloneOptions) => Promise<{ options: StandaloneOptions; companions: Companions }>;

/**
 * The process edge: command line in, exit code out. 0 after an orderly stop, 2 for a command line that does not fit,
 * 1 when Meadow could not be started. What went wrong is told in a line or two on stderr, never as a stack for what is
 * the surroundings' doing.
 */
export async function runCli(args: readonly string[], help: string = HELP, prepare?: Prepare): Promise<number> {
  try {
    const options = readOptions(args, process.env, process.env['INIT_CWD'] ?? process.cwd());
    if (options === null) {
      process.stdout.write(help);
      return 0;
    }
    const prepared = prepare === undefined ? { options, companions: undefined } : await prepare(options);
    const onStopRequest = (listener: (reason: string) => void): void => stopRequests(process.env, listener);
    const surroundings = { env: process.env, stdout: process.stdout, onStopRequest };
    await runStandalone(prepared.options, surroundings, prepared.companions);
    return 0;
  } catch (error) {
    const known = error instanceof Error && 'code' in error && !('syscall' in error);
    process.stderr.write(`\nmeadow: ${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    if (error instanceof UsageError) process.stderr.write('--help tells what can be said\n');
    return error instanceof UsageError ? 2 : 1;
  }
}
