import { examineBroker, maskUrl } from '@meadow/broker';
import { clusterDefinition, judgeTraffic, type Finding } from '@meadow/contract';
import { parseArgs } from 'node:util';
import { prettifyError } from 'zod';

/**
 * `npm run doctor -- --broker URL`: looks at a cluster from here, without anything of Meadow running, and prints what is
 * well, what is not, and what to do. Ends with 1 when a check failed.
 */
const USAGE = `usage: npm run doctor -- --broker URL [--result-backend URL] [--seconds 10]
                         [--event-exchange celeryev] [--global-keyprefix TEXT] [--name NAME] [--json]

Looks at a Celery cluster's broker and listens to its events for a while. Changes nothing.
`;
const LONGEST_SECONDS = 600;
const MARKS: Readonly<Record<Finding['verdict'], string>> = {
  pass: 'ok  ',
  warn: 'WARN',
  fail: 'FAIL',
  unknown: ' ?  ',
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = read(args);
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const definition = clusterDefinition.safeParse({
    name: options.name,
    broker: options.broker,
    resultBackend: options['result-backend'],
    eventExchange: options['event-exchange'],
    transportOptions:
      options['global-keyprefix'] === undefined ? {} : { global_keyprefix: options['global-keyprefix'] },
  });
  if (!definition.success) {
    process.stderr.write(`${prettifyError(definition.error)}\n`);
    return 2;
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const listenMs = options.seconds * 1000;
  if (!options.json)
    process.stdout.write(`${maskUrl(definition.data.broker)}, listening for ${options.seconds} s …\n\n`);
  try {
    const { findings, traffic } = await examineBroker(definition.data, { signal: stop.signal, listenMs });
    const all = [...findings, ...(traffic === null ? [] : judgeTraffic(traffic))];
    process.stdout.write(options.json ? `${JSON.stringify(all)}\n` : report(all));
    return all.some(({ verdict }) => verdict === 'fail') ? 1 : 0;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    throw error;
  }
}

function read(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        broker: { type: 'string' },
        'result-backend': { type: 'string' },
        'event-exchange': { type: 'string', default: 'celeryev' },
        'global-keyprefix': { type: 'string' },
        name: { type: 'string', default: 'doctor' },
        seconds: { type: 'string', default: '10' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const seconds = Number(values.seconds);
    if (!(seconds >= 0 && seconds <= LONGEST_SECONDS))
      return `--seconds ${values.seconds}: use 0 to ${LONGEST_SECONDS}`;
    if (values.broker === undefined && !values.help) return `--broker is missing\n${USAGE}`;
    return { ...values, broker: values.broker ?? '', seconds };
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n${USAGE}`;
  }
}

function report(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ title }) => title.length));
  const lines = findings.map(({ verdict, title, says, remedy }) => {
    const line = `${MARKS[verdict]}  ${title.padEnd(width)}  ${says}\n`;
    return remedy === '' ? line : `${line}${' '.repeat(width + 8)}→ ${remedy}\n`;
  });
  const failed = findings.filter(({ verdict }) => verdict === 'fail').length;
  const warned = findings.filter(({ verdict }) => verdict === 'warn').length;
  return `${lines.join('')}\n${failed} failed, ${warned} with a warning, ${findings.length} checks\n`;
}
