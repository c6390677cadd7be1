import { PLAIN_FLAG as FLAG, PLAIN_NUMBER as NUMBER, PLAIN_TEXT as TEXT, type PlainEvents } from '@meadow/celery';
import { EventIdLanes, partitionOfAscii, type TaskEventWriter } from '@meadow/contract';
import type { Publisher } from './publisher.ts';
import type { RowContext } from './row.ts';

/**
 * Makes the rows of a message's plain events, byte for byte those that `taskEvent` makes of the same events, without
 * strings in between.
 */
export class PlainRows {
  readonly #context: RowContext;
  readonly #publisher: Publisher;
  readonly #events: PlainEvents;
  readonly #clusterLanes = new EventIdLanes();
  readonly #lanes = new EventIdLanes();
  /** What `#append` works on: no closure is made for an event. */
  #event = 0;
  #collectedAt = 0;

  constructor(context: RowContext, publisher: Publisher, events: PlainEvents) {
    this.#context = context;
    this.#publisher = publisher;
    this.#events = events;
    this.#clusterLanes.begin();
    this.#clusterLanes.text(context.cluster);
  }

  /** Adds the row of one event. @param collectedAt Unix seconds */
  add(event: number, collectedAt: number): void {
    const events = this.#events;
    this.#event = event;
    this.#collectedAt = collectedAt;
    const partition = partitionOfAscii(events.bytes, events.start(event, TEXT.uuid), events.end(event, TEXT.uuid));
    this.#publisher.addTask(partition, this.#append);
  }

  readonly #append = (rows: TaskEventWriter): boolean => {
    const event = this.#event;
    const events = this.#events;
    const timestamp = events.number(event, NUMBER.timestamp);
    const clock = events.number(event, NUMBER.clock);
    const pid = events.number(event, NUMBER.pid);
    rows.begin();
    this.#id(rows, timestamp, pid, clock);
    rows.time(timestamp);
    rows.time(this.#collectedAt);
    for (const text of NAMES) this.#text(rows, text);
    rows.uint32(pid);
    rows.uint64(clock);
    rows.uint32(events.number(event, NUMBER.retries));
    rows.float64(events.number(event, NUMBER.runtime));
    for (const text of SECRETS) this.#secret(rows, text);
    for (const text of OPEN) this.#text(rows, text);
    rows.empty(); // signum
    rows.empty(); // extra
    rows.empty(); // end_reason
    rows.flag(events.flag(event, FLAG.terminated));
    rows.flag(events.flag(event, FLAG.expired));
    rows.flag(events.flag(event, FLAG.requeue));
    rows.tail();
    for (const text of TAIL) this.#text(rows, text);
    return rows.end();
  };

  #id(rows: TaskEventWriter, timestamp: number, pid: number, clock: number): void {
    const lanes = this.#lanes;
    lanes.begin(this.#clusterLanes);
    this.#mix(TEXT.hostname);
    this.#mix(TEXT.type);
    this.#mix(TEXT.uuid);
    lanes.end(timestamp, Number.isNaN(pid) ? -1 : pid, Number.isNaN(clock) ? -1 : clock);
    rows.id(lanes.high, lanes.low);
  }

  #mix(text: number): void {
    const events = this.#events;
    this.#lanes.ascii(events.bytes, events.start(this.#event, text), events.end(this.#event, text));
  }

  #text(rows: TaskEventWriter, text: number): void {
    const event = this.#event;
    const events = this.#events;
    const start = events.start(event, text);
    if (start === -1) rows.empty();
    else if (events.isEscaped(event, text)) rows.text(events.text(event, text));
    else rows.ascii(events.view, start, events.end(event, text));
  }

  #secret(rows: TaskEventWriter, text: number): void {
    const event = this.#event;
    const events = this.#events;
    const start = events.start(event, text);
    if (start === -1) return rows.empty();
    const end = events.end(event, text);
    const { mask } = this.#context;
    if (!events.isEscaped(event, text) && !mask.suspects(events.bytes, start, end)) rows.ascii(events.view, start, end);
    else rows.text(mask(events.text(event, text)));
  }
}

/** The texts of a row, in the order of its columns. */
const NAMES = [TEXT.type, TEXT.hostname, TEXT.uuid];
const SECRETS = [TEXT.args, TEXT.kwargs, TEXT.result, TEXT.exception, TEXT.traceback];
const OPEN = [TEXT.eta, TEXT.expires, TEXT.exchange, TEXT.routing_key];
const TAIL = [TEXT.name, TEXT.queue, TEXT.root_id, TEXT.parent_id];
