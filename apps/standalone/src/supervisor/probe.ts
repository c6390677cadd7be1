import { statfs } from 'node:fs/promises';
import { createConnection } from 'node:net';

/** Asks once whether a process is of use yet. Returns null when it is, else what is missing. */
export type Probe = (signal: AbortSignal) => Promise<string | null>;

/** Ready when a GET of the address answers with 2xx; the answer's first line says what is missing otherwise. */
export function httpProbe(url: string, headers: Readonly<Record<string, string>> = {}): Probe {
  return async (signal) => {
    try {
      const response = await fetch(url, { signal, headers });
      const body = await response.text();
      return response.ok ? null : (body.split('\n')[0] ?? `answers ${response.status}`);
    } catch {
      return `no answer at ${url}`;
    }
  };
}

/** Ready when all of them are; the first that is not says what is missing. */
export function allOf(...probes: readonly Probe[]): Probe {
  return async (signal) => {
    for (const probe of probes) {
      const missing = await probe(signal);
      if (missing !== null) return missing;
    }
    return null;
  };
}

/** Ready when the port accepts a connection and, if `ping` is given, answers it with text that `pong` matches. */
export function tcpProbe(address: { host: string; port: number }, ping?: { say: string; pong: RegExp }): Probe {
  return (signal) =>
    new Promise((resolve) => {
      const socket = createConnection(address);
      let heard = '';
      const end = (missing: string | null): void => {
        socket.destroy();
        resolve(missing);
      };
      const silent = (): void => end(`no answer at ${address.host}:${address.port}`);
      signal.addEventListener('abort', silent, { once: true });
      socket.once('close', () => {
        signal.removeEventListener('abort', silent);
        // by the other side, without the answer; else it was told already
        silent();
      });
      socket.once('error', silent);
      socket.once('connect', () => {
        if (ping === undefined) end(null);
        else socket.write(ping.say);
      });
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1');
        if (ping?.pong.test(heard) === true) end(null);
        else if (heard.length > 10_000) end('answers something else');
      });
    });
}

/** Ready while the disk of `folder` has so much free. */
export function roomProbe(folder: string, megabytes: number): Probe {
  return async () => {
    try {
      const { bavail, bsize } = await statfs(folder);
      const free = Math.floor((bavail * bsize) / 1e6);
      return free >= megabytes ? null : `the disk of ${folder} has ${free} MB free, ${megabytes} are needed`;
    } catch (error) {
      return `${folder} cannot be looked at: ${error instanceof Error ? error.message : String(error)}`;
    }
  };
}
