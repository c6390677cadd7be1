import { decompress } from './compression.ts';
import type { Envelope } from './envelope.ts';
import { CeleryDecodeError, excerpt } from './errors.ts';
import { parsePythonJson } from './json.ts';
import type { JsonValue } from './json.ts';
import { MAX_BYTES } from './limits.ts';
import { readMsgpack } from './msgpack.ts';
import { readSignedBody, verifySignedBody } from './signed.ts';
import type { CertificateStore } from './signed.ts';
import { utf8Text } from './text.ts';
import { readYaml } from './yaml.ts';

/** A decoded body and how far to trust it. */
export interface Content {
  readonly value: JsonValue;
  /** Who claims to have signed it; null for an unsigned body. */
  readonly signer: string | null;
  /** True only when certificates were given and the signature matched one of them. */
  readonly verified: boolean;
}

/** How to treat signed bodies. */
export interface ContentOptions {
  /** When given, every signed body must verify against it; unsigned bodies are still read. */
  readonly certificates?: CertificateStore;
  /** @default 'sha256' */
  readonly digest?: string;
}

/**
 * Decodes the body of a message: decompresses, takes a signature frame off, reads JSON, msgpack, YAML or plain text.
 * A pickle is refused with its type and size, never run.
 * @throws CeleryDecodeError every code but those of envelopes, events and tasks
 */
export function decodeContent(envelope: Envelope, options: ContentOptions = {}): Content {
  const compression = envelope.headers['compression'];
  const body = compression ? decompress(envelope.body, compression) : envelope.body;
  if (body.length > MAX_BYTES) {
    throw new CeleryDecodeError('CELERY_TOO_LARGE', `body of ${body.length} bytes`, { limit: MAX_BYTES });
  }
  if (envelope.contentType !== 'application/data') {
    return { value: readBody(body, envelope.contentType, envelope.contentEncoding), signer: null, verified: false };
  }
  const signed = readSignedBody(body);
  if (options.certificates !== undefined) verifySignedBody(signed, options.certificates, options.digest);
  return {
    value: readBody(signed.payload, signed.contentType, signed.contentEncoding),
    signer: signed.signer,
    verified: options.certificates !== undefined,
  };
}

function readBody(body: Uint8Array, contentType: string | null, contentEncoding: string | null): JsonValue {
  switch (contentType) {
    case 'application/json':
      return parsePythonJson(bodyText(body, contentEncoding));
    case 'application/x-msgpack':
      return readMsgpack(body);
    case 'application/x-yaml':
      return readYaml(bodyText(body, contentEncoding));
    case 'text/plain':
    case 'application/text':
      return bodyText(body, contentEncoding);
    case 'application/x-python-serialize': {
      const facts = { contentType, bytes: body.length };
      throw new CeleryDecodeError('CELERY_PICKLE_REFUSED', `pickle of ${body.length} bytes is not run`, facts);
    }
    default: {
      const name = contentType === null ? 'none' : excerpt(contentType);
      const facts = { contentType: name, bytes: body.length };
      throw new CeleryDecodeError('CELERY_CONTENT_UNSUPPORTED', `content type ${name}`, facts);
    }
  }
}

/** kombu reads text serializers as UTF-8; `binary` and ASCII are subsets of that. */
function bodyText(body: Uint8Array, contentEncoding: string | null): string {
  switch (contentEncoding?.toLowerCase() ?? 'utf-8') {
    case 'utf-8':
    case 'utf8':
    case 'us-ascii':
    case 'ascii':
    case 'binary':
      return utf8Text(body);
    default: {
      const contentEncodingName = excerpt(contentEncoding ?? '');
      const facts = { contentEncoding: contentEncodingName };
      throw new CeleryDecodeError('CELERY_CHARSET_UNSUPPORTED', `content encoding ${contentEncodingName}`, facts);
    }
  }
}
