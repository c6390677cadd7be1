import { errors, type NatsConnection } from '@nats-io/transport-node';
import { BusError, busError } from './errors.ts';

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
}

type Reply = { readonly answer: unknown } | { readonly error: string };
