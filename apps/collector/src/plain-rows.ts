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
    this.#text(rows, TEXT.type);
    this.#text(rows, TEXT.hostname);
    this.#text(rows, TEXT.uuid);
    rows.uint32(pid);
    rows.uint64(clock);
    rows.uint32(events.number(event, NUMBER.retries));
    rows.float64(events.number(event, NUMBER.runtime));
    this.#secret(rows, TEXT.args);
    this.#secret(rows, TEXT.kwargs);
    this.#secret(rows, TEXT.result);
    this.#secret(rows, TEXT.exception);
    this.#secret(rows, TEXT.traceback);
    this.#text(rows, TEXT.eta);
    this.#text(rows, TEXT.expires);
    this.#text(rows, TEXT.exchange);
    this.#text(rows, TEXT.routing_key);
    rows.text(null); // signum
    rows.text(null); // extra
    rows.text(null); // end_reason
    rows.flag(events.flag(event, FLAG.terminated));
    rows.flag(events.flag(event, FLAG.expired));
    rows.flag(events.flag(event, FLAG.requeue));
    rows.tail();
    this.#text(rows, TEXT.name);
    this.#text(rows, TEXT.queue);
    this.#text(rows, TEXT.root_id);
    this.#text(rows, TEXT.parent_id);
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
    if (events.isEscaped(event, text)) rows.text(events.text(event, text));
    else rows.ascii(events.bytes, events.start(event, text), events.end(event, text));
  }

  #secret(rows: TaskEventWriter, text: number): void {
    const event = this.#event;
    const events = this.#events;
    const start = events.start(event, text);
    if (start === -1) return rows.text(null);
    const end = events.end(event, text);
    const { mask } = this.#context;
    if (!events.isEscaped(event, text) && !mask.suspects(events.bytes, start, end))
      rows.ascii(events.bytes, start, end);
    else rows.text(mask(events.text(event, text)));
  }
}
