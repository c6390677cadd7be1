import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { BrokerError, type BrokerFacts } from './errors.ts';
import type { BrokerTls } from './url.ts';

/**
 * Node's options for a TLS connection. Reads the files anew each time.
 * @throws BrokerError `BROKER_TLS_FAILED` when a file cannot be read
 */
export async function tlsOptions(tls: BrokerTls, facts: BrokerFacts): Promise<ConnectionOptions> {
  const options: ConnectionOptions = { rejectUnauthorized: tls.verify };
  if (!tls.checkHostname) options.checkServerIdentity = () => undefined;
  for (const name of ['ca', 'cert', 'key'] as const) {
    const value = tls[name];
    if (value !== null) options[name] = await pem(value, name, facts);
  }
  return options;
}

async function pem(value: string, name: string, facts: BrokerFacts): Promise<string> {
  if (value.includes('-----BEGIN')) return value;
  try {
    return await readFile(value, 'utf8');
  } catch (cause) {
    const remedy = 'name a file that this process can read, or give the PEM text itself';
    throw new BrokerError('BROKER_TLS_FAILED', facts, `tls.${name} "${value}" cannot be read`, remedy, cause);
  }
}
