/**
 * Every way a message can fail to decode. Stable: operators filter on them, `docs/errors.md` explains them.
 *
 * - `CELERY_ENVELOPE_INVALID`: the kombu envelope is not JSON, or a part of it is missing or of the wrong type
 * - `CELERY_BASE64_INVALID`: a base64 body is damaged or cut
 * - `CELERY_TOO_LARGE`: a size or compression-ratio limit is passed
 * - `CELERY_TOO_DEEP`: nested deeper than {@link MAX_DEPTH}
 * - `CELERY_COMPRESSION_UNSUPPORTED` / `CELERY_COMPRESSION_INVALID`: unknown method / damaged data
 * - `CELERY_CONTENT_UNSUPPORTED`: no decoder for the content type
 * - `CELERY_CHARSET_UNSUPPORTED` / `CELERY_TEXT_INVALID`: unknown content encoding / bytes that are not UTF-8
 * - `CELERY_JSON_INVALID`, `CELERY_MSGPACK_INVALID`, `CELERY_YAML_INVALID`: the body is not what its type says
 * - `CELERY_PICKLE_REFUSED`: a pickle, which is a program and is never run
 * - `CELERY_SIGNED_INVALID`: `application/data` without a readable signature frame
 * - `CELERY_SIGNATURE_WRONG`: signer unknown to the given certificates, or the signature does not match
 * - `CELERY_EVENT_INVALID`: a decoded event lacks a required field or has it in the wrong type
 * - `CELERY_REPLY_INVALID`: an answer to a control command that does not say whose it is
 * - `CELERY_RESULT_INVALID`: a stored result without a status
 * - `CELERY_TASK_INVALID`: a decoded task message is neither protocol 1 nor 2
 */
export type CeleryDecodeErrorCode =
  | 'CELERY_ENVELOPE_INVALID'
  | 'CELERY_BASE64_INVALID'
  | 'CELERY_TOO_LARGE'
  | 'CELERY_TOO_DEEP'
  | 'CELERY_COMPRESSION_UNSUPPORTED'
  | 'CELERY_COMPRESSION_INVALID'
  | 'CELERY_CONTENT_UNSUPPORTED'
  | 'CELERY_CHARSET_UNSUPPORTED'
  | 'CELERY_TEXT_INVALID'
  | 'CELERY_JSON_INVALID'
  | 'CELERY_MSGPACK_INVALID'
  | 'CELERY_YAML_INVALID'
  | 'CELERY_PICKLE_REFUSED'
  | 'CELERY_SIGNED_INVALID'
  | 'CELERY_SIGNATURE_WRONG'
  | 'CELERY_EVENT_INVALID'
  | 'CELERY_REPLY_INVALID'
  | 'CELERY_RESULT_INVALID'
  | 'CELERY_TASK_INVALID';

/** Small, loggable facts about a failure: sizes, names, positions, never whole payloads. */
export type DecodeFacts = Readonly<Record<string, string | number | boolean | null>>;

/** The only error the decoders of this library throw for bad input, whatever the bytes. */
export class CeleryDecodeError extends Error {
  override readonly name = 'CeleryDecodeError';
  readonly code: CeleryDecodeErrorCode;
  readonly facts: DecodeFacts;

  constructor(code: CeleryDecodeErrorCode, message: string, facts: DecodeFacts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = facts;
  }
}

/** Cuts text from outside to what fits a message or a fact. */
export function excerpt(text: string, maxChars = 120): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars)}…`;
}
