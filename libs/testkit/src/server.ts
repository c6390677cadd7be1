import { startChild, type Child, type Launch } from './child.ts';

/** A real server under test. Disposing it kills it and removes its data. */
export interface TestServer extends AsyncDisposable {
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  /** Orderly stop; address and data are kept for `restart`. */
  stop(): Promise<void>;
  /** SIGKILL to the whole process group, as in a crash. */
  kill9(): Promise<void>;
  /** Starts it again on the same address and data; stops it first when it still runs. */
  restart(): Promise<void>;
  /** Last 32 KiB of what the running process printed. */
  log(): string;
}

/** A server that is a process of ours, not a container. */
export interface NativeServer extends TestServer {
  /** True once the process that ran last has ended. */
  ended(): boolean;
}

/** Runs `launch` as a native process that can be stopped and started again. `cleanUp` runs once, on dispose. */
export async function openNative(launch: () => Launch, cleanUp: () => Promise<void>): Promise<NativeServer> {
  let child: Child;
  try {
    child = await startChild(launch());
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return {
    get pid() {
      return child.pid;
    },
    stop: () => child.stop(),
    kill9: () => child.kill9(),
    log: () => child.log(),
    ended: () => child.ended(),
    async restart() {
      await child.stop();
      child = await startChild(launch());
    },
    async [Symbol.asyncDispose]() {
      await child.kill9();
      await cleanUp();
    },
  };
}
