import { HELP } from '@meadow/standalone';

/** What the demo takes beside the options of `npm start`. */
export interface DemoOptions {
  readonly rabbitmq: boolean;
  readonly keep: boolean;
  /** Given with --data: then it is never removed. */
  readonly ownData: boolean;
  /** What is left for `npm start`'s own command line. */
  readonly rest: readonly string[];
}

export function readDemoOptions(args: readonly string[]): DemoOptions {
  const ownData = args.some((arg) => arg === '--data' || arg.startsWith('--data='));
  const own = ['--rabbitmq', '--keep'];
  return {
    rabbitmq: args.includes('--rabbitmq'),
    keep: args.includes('--keep'),
    ownData,
    rest: [...(ownData ? [] : ['--data', 'data/demo']), ...args.filter((arg) => !own.includes(arg))],
  };
}

export const DEMO_HELP = `Meadow's demo: the same as npm start, with Celery clusters of its own to watch.

  npm run demo
  npm run demo -- --rabbitmq --port 8080

Of the demo
  --rabbitmq              a third cluster, on RabbitMQ
  --keep                  keeps the demo's history (./data/demo) for the next time instead of removing it at the end

As of npm start
${HELP.slice(HELP.indexOf('Where it listens')).replace('./data\n', './data/demo\n')}`;
