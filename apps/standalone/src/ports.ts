import { createServer } from 'node:net';

/** A port that was asked for is taken. `message` tells the option that chooses another. */
class PortInUseError extends Error {
  override readonly name = 'PortInUseError';
  readonly code = 'PORT_IN_USE';
  readonly port: number;

  constructor(port: number, host: string, option: string, reason: string) {
    const why = reason === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used (${reason})`;
    super(`port ${port} on ${host} ${why}; choose another: ${option} ${port + 1}`);
    this.port = port;
  }
}

/** Ports below the range from which the kernel takes those of outgoing connections. */
const LOWEST = 15_000;
const HIGHEST = 32_000;

/** @throws PortInUseError */
export async function requirePort(port: number, host: string, option: string): Promise<number> {
  const reason = await whyNot(port, host);
  if (reason !== null) throw new PortInUseError(port, host, option, reason);
  return port;
}

/** The preferred port, or a free one if that is taken. */
export async function choosePort(preferred: number, host: string): Promise<number> {
  return (await whyNot(preferred, host)) === null ? preferred : freePort(host);
}

export async function freePort(host: string): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if ((await whyNot(port, host)) === null) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} on ${host}`);
}

function whyNot(port: number, host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}
