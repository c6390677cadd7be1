import { expect, test } from 'vitest';
import { controlChannels, eventPatterns, type ChannelNaming } from './channels.ts';

const patterns = (naming: Partial<ChannelNaming>): string[] =>
  eventPatterns({ db: 2, exchange: 'celeryev', transportOptions: {}, behindSentinel: false, ...naming });

test.each([
  ['by default the database is the prefix', {}, ['/2.celeryev/*']],
  ['without prefix', { transportOptions: { fanout_prefix: false } }, ['celeryev/*']],
  ['with a prefix of one’s own', { transportOptions: { fanout_prefix: 'x{db}_' } }, ['x2_celeryev/*']],
  ['without patterns one channel carries all', { transportOptions: { fanout_patterns: false } }, ['/2.celeryev']],
  [
    'the global prefix comes before everything',
    { transportOptions: { global_keyprefix: 'app:' } },
    ['app:/2.celeryev/*'],
  ],
  ['another exchange', { exchange: 'myevents' }, ['/2.myevents/*']],
  ['a prefix is no pattern', { transportOptions: { global_keyprefix: '{a}[b]*:' } }, ['{a}\\[b\\]\\*:/2.celeryev/*']],
  ['behind a sentinel also what old workers use', { behindSentinel: true }, ['/2.celeryev/*', '/{db}.celeryev/*']],
  [
    '… once, where both are the same',
    { behindSentinel: true, transportOptions: { fanout_prefix: false } },
    ['celeryev/*'],
  ],
] satisfies [string, Partial<ChannelNaming>, string[]][])('%s', (_title, naming, expected) => {
  expect(patterns(naming)).toEqual(expected);
});

test.each([
  ['workers hear on one channel', {}, ['/2.celery.pidbox']],
  [
    'with both prefixes',
    { transportOptions: { global_keyprefix: 'app:', fanout_prefix: 'x{db}_' } },
    ['app:x2_celery.pidbox'],
  ],
  ['events without patterns change nothing', { transportOptions: { fanout_patterns: false } }, ['/2.celery.pidbox']],
  [
    'behind a sentinel old workers hear elsewhere',
    { behindSentinel: true },
    ['/2.celery.pidbox', '/{db}.celery.pidbox'],
  ],
] satisfies [string, Partial<ChannelNaming>, string[]][])('%s', (_title, naming, expected) => {
  expect(
    controlChannels({ db: 2, exchange: 'celery', transportOptions: {}, behindSentinel: false, ...naming }),
  ).toEqual(expected);
});
