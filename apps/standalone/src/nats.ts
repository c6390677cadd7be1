import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that has to be installed is not. `message` tells how to come by it. */
export class MissingProgramError extends Error {
  override readonly name = 'MissingProgramError';
  readonly code = 'PROGRAM_MISSING';
  readonly program: string;

  constructor(program: string, remedy: string) {
    super(`${program} is not installed\n${remedy}`);
    this.program = program;
  }
}

/** Looks along PATH and in the sbin folders, where Debian puts servers and a user's PATH may not lead. */
export function findProgram(program: string, path: string): string | null {
  for (const folder of [...path.split(delimiter), '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin']) {
    const file = join(folder, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // look on
    }
  }
  return null;
}

/** @throws MissingProgramError */
export function findNatsServer(path: string): string {
  const found = findProgram('nats-server', path);
  if (found !== null) return found;
  throw new MissingProgramError(
    'nats-server',
    [
      '  on Debian and Ubuntu:  sudo apt-get install nats-server',
      '  on macOS:              brew install nats-server',
      '  with Docker instead:   docker compose up',
      '  one that runs already: npm start -- --nats nats://host:4222',
    ].join('\n'),
  );
}

/**
 * The configuration of a NATS server for one machine. `max_file` is stated because nats-server otherwise promises three
 * quarters of the free disk and then refuses the events stream where that is less than the stream's bound.
 */
export function natsConfig(options: { readonly port: number; readonly storeDir: string }): string {
  return [
    `listen: "127.0.0.1:${options.port}"`,
    'server_name: meadow',
    'max_payload: 8MB',
    'max_pending: 256MB',
    `jetstream { store_dir: ${JSON.stringify(options.storeDir)}, max_mem: 64MB, max_file: 16GB }`,
    '',
  ].join('\n');
}
