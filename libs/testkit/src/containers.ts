import { findBinary } from './child.ts';
import { freePort } from './ports.ts';
import type { TestServer } from './server.ts';

/** What a test server is made from, in order of preference. */
export interface ServerSource {
  /** Program looked for first. */
  readonly binary: string;
  /** Named in the error when neither way is open. */
  readonly debianPackage: string;
}

export type Runtime = { readonly kind: 'native'; readonly path: string } | { readonly kind: 'container' };

/**
 * Decides how a server runs: natively when its program is installed (starts in milliseconds, offers every option),
 * else in a container where Docker answers, else not at all, with an error naming the Debian package.
 */
export async function chooseRuntime(source: ServerSource): Promise<Runtime> {
  const path = findBinary(source.binary);
  if (path !== null) return { kind: 'native', path };
  if (await dockerAnswers()) return { kind: 'container' };
  throw new Error(
    `${source.binary} is not installed and Docker does not answer: apt-get install ${source.debianPackage}`,
  );
}

async function dockerAnswers(): Promise<boolean> {
  try {
    const { getContainerRuntimeClient } = await import('testcontainers');
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

export interface ContainerLaunch {
  readonly image: string;
  readonly containerPort: number;
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The log line that tells it is ready. */
  readonly readyLine: RegExp;
  /** @default 120_000, as the image may have to be fetched */
  readonly deadlineMs?: number;
}

/** Runs a server as a container on a fixed loopback port, so that a restart keeps its address. */
export async function openContainer(
  launch: ContainerLaunch,
  port?: number,
): Promise<{ server: TestServer; port: number; exec(command: string[]): Promise<string> }> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers');
  const hostPort = port ?? (await freePort());
  let container = new GenericContainer(launch.image)
    .withExposedPorts({ container: launch.containerPort, host: hostPort })
    .withEnvironment({ ...launch.env })
    .withWaitStrategy(Wait.forLogMessage(launch.readyLine))
    .withStartupTimeout(launch.deadlineMs ?? 120_000);
  if (launch.command !== undefined) container = container.withCommand([...launch.command]);
  const started = await container.start();
  const client = await getContainerRuntimeClient();
  const docker = client.container.getById(started.getId());
  let pid = (await docker.inspect()).State.Pid;
  const server: TestServer = {
    get pid() {
      return pid;
    },
    stop: async () => void (await docker.stop()),
    kill9: async () => void (await docker.kill({ signal: 'SIGKILL' })),
    log: () => `see docker logs ${started.getId()}`,
    async restart() {
      await started.restart();
      pid = (await docker.inspect()).State.Pid;
    },
    async [Symbol.asyncDispose]() {
      await docker.remove({ force: true, v: true });
    },
  };
  return { server, port: hostPort, exec: async (command) => (await started.exec(command)).output };
}
