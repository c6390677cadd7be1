import { createInbox, errors, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { BusError, busError } from './errors.ts';

/** Who answers at length gives a sign of life so often; who asked waits for a few of them. */
const BEAT_MS = 1_000;
const SILENCE_MS = 5_000;
/** An answer that is longer travels in pieces of so many characters: a message of NATS holds 1 MB. */
const PIECE = 250_000;
/** A part of an answer, put together. */
const LONGEST_PART = 64_000_000;
/** Parts that wait to be taken by who asked; whoever does not take any has gone. */
const MOST_WAITING = 100_000;

/** Questions between services that are up right now, JSON both ways. NATS keeps none of them. */
export class Requests {
  readonly #connection: NatsConnection;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  /**
   * Asks, and waits for the first answer.
   * @returns null when nobody answers such questions
   * @throws BusError BUS_UNAVAILABLE in time when no answer comes, BUS_REJECTED when whoever answered could not
   */
  async ask(subject: string, question: unknown, timeoutMs: number): Promise<unknown> {
    let reply: Reply;
    try {
      const message = await this.#connection.request(subject, JSON.stringify(question), { timeout: timeoutMs });
      reply = message.json();
    } catch (error) {
      if (error instanceof errors.RequestError && error.isNoResponders()) return null;
      throw busError(`ask ${subject}`, error);
    }
    if ('error' in reply) throw new BusError('BUS_REJECTED', `ask ${subject}: ${reply.error}`);
    return reply.answer;
  }

  /** Answers questions one after the other until `signal` is aborted. What `answer` throws is told to who asked. */
  async answer(subject: string, answer: (question: unknown) => Promise<unknown>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const subscription = this.#connection.subscribe(subject);
    const stop = (): void => subscription.unsubscribe();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const message of subscription) {
        let reply: Reply;
        try {
          reply = { answer: await answer(message.json()) };
        } catch (error) {
          reply = { error: error instanceof Error ? error.message : String(error) };
        }
        message.respond(JSON.stringify(reply));
      }
    } finally {
      signal.removeEventListener('abort', stop);
      subscription.unsubscribe();
    }
  }

  /**
   * Asks what is answered in parts, which come as they are made. Leaving the loop, or `signal`, tells who answers to stop.
   * @throws BusError BUS_UNAVAILABLE when nobody answers such questions, or who did falls silent; BUS_REJECTED when whoever
   *   answered could not
   */
  async *askInParts(subject: string, question: unknown, signal: AbortSignal): AsyncGenerator<unknown, void, undefined> {
    const inbox = createInbox();
    const waiting: Msg[] = [];
    let wake = (): void => undefined;
    const subscription = this.#connection.subscribe(inbox, {
      callback: (_error, message) => {
        if (waiting.length < MOST_WAITING) waiting.push(message);
        wake();
      },
    });
    const onAbort = (): void => wake();
    signal.addEventListener('abort', onAbort, { once: true });
    let isOver = false;
    try {
      this.#connection.publish(subject, JSON.stringify(question), { reply: inbox });
      let text = '';
      for (;;) {
        if (signal.aborted) return;
        const message = waiting.shift() ?? null;
        if (message === null) {
          if (!(await woken((resolve) => (wake = resolve), SILENCE_MS)) && waiting.length === 0) {
            throw new BusError('BUS_UNAVAILABLE', `ask ${subject}: no sign of life for ${SILENCE_MS / 1000} s`);
          }
          continue;
        }
        if (message.headers?.code === NO_RESPONDERS) {
          isOver = true;
          throw new BusError('BUS_UNAVAILABLE', `ask ${subject}: nobody answers such questions now`);
        }
        const piece = message.json<Piece>();
        if ('beat' in piece) continue;
        if ('text' in piece) {
          text += piece.text;
          if (text.length > LONGEST_PART) throw new BusError('BUS_TOO_LARGE', `ask ${subject}: the answer is too long`);
          if (piece.more) continue;
          yield JSON.parse(text);
          text = '';
          continue;
        }
        isOver = true;
        if ('error' in piece) {
          throw new BusError('BUS_REJECTED', `ask ${subject}: ${piece.error}`, undefined, piece.error);
        }
        return;
      }
    } catch (error) {
      throw busError(`ask ${subject}`, error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      subscription.unsubscribe();
      if (!isOver && !this.#connection.isClosed()) this.#connection.publish(stopOf(inbox));
    }
  }

  /**
   * Answers questions in parts, at most `atMost` of them at a time, until `signal` is aborted; those under way are ended
   * then, too. What `answer` throws is told to who asked.
   * @param answer its signal is aborted when who asked wants no more
   */
  async answerInParts(
    subject: string,
    answer: (question: unknown, signal: AbortSignal) => AsyncIterable<unknown>,
    { atMost, signal }: { readonly atMost: number; readonly signal: AbortSignal },
  ): Promise<void> {
    if (signal.aborted) return;
    const subscription = this.#connection.subscribe(subject);
    const end = (): void => subscription.unsubscribe();
    signal.addEventListener('abort', end, { once: true });
    const underWay = new Set<Promise<void>>();
    try {
      for await (const message of subscription) {
        if (underWay.size >= atMost) {
          respond(message, { error: `${atMost} questions are being answered: try again in a moment` });
          continue;
        }
        const work = this.#answerOne(message, answer, signal).finally(() => underWay.delete(work));
        underWay.add(work);
      }
    } finally {
      signal.removeEventListener('abort', end);
      subscription.unsubscribe();
      await Promise.all(underWay);
    }
  }

  /** Never rejects. */
  async #answerOne(
    message: Msg,
    answer: (question: unknown, signal: AbortSignal) => AsyncIterable<unknown>,
    signal: AbortSignal,
  ): Promise<void> {
    if (message.reply === undefined) return;
    const stopped = new AbortController();
    const stops = this.#connection.subscribe(stopOf(message.reply), { max: 1, callback: () => stopped.abort() });
    const beating = setInterval(() => respond(message, { beat: true }), BEAT_MS);
    try {
      for await (const part of answer(message.json(), AbortSignal.any([signal, stopped.signal]))) {
        const text = JSON.stringify(part);
        for (let at = 0; at < text.length; at += PIECE) {
          respond(message, { text: text.slice(at, at + PIECE), more: at + PIECE < text.length });
        }
      }
      respond(message, { end: true });
    } catch (error) {
      respond(message, { error: error instanceof Error ? error.message : String(error) });
    } finally {
      clearInterval(beating);
      stops.unsubscribe();
    }
  }
}

/** The server's answer where nobody listens. */
const NO_RESPONDERS = 503;

const stopOf = (inbox: string): string => `${inbox}.stop`;

function respond(message: Msg, piece: Piece): void {
  // a connection that is closed takes nothing, and who asked notices the silence
  try {
    message.respond(JSON.stringify(piece));
  } catch {
    return;
  }
}

/** @returns false when nobody called in time */
function woken(listen: (wake: () => void) => void, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    listen(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

type Reply = { readonly answer: unknown } | { readonly error: string };

/** What comes back of a question that is answered in parts. */
type Piece =
  | { readonly beat: true }
  /** A part's JSON, or the next piece of it. */
  | { readonly text: string; readonly more: boolean }
  | { readonly end: true }
  | { readonly error: string };
