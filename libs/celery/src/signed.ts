import { Buffer } from 'node:buffer';
import { constants, verify, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { CeleryDecodeError, excerpt } from './errors.ts';
import { asBuffer, base64Bytes } from './text.ts';

/** A body written by Celery's `auth` serializer, taken apart but not yet believed. */
export interface SignedBody {
  /** `<issuer values> <serial>` of the certificate the sender claims. */
  readonly signer: string;
  readonly signature: Uint8Array;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** The signed bytes. */
  readonly payload: Uint8Array;
}

/** Public keys by Celery's signer id. Make one with {@link certificateStore}. */
export type CertificateStore = ReadonlyMap<string, KeyObject>;

const separator = Buffer.from([0, 1]);

/** RSA keys of 512 to 16384 bits; what is outside is no signature. */
const minSignatureBytes = 64;
const maxSignatureBytes = 2048;

/** What follows the signature: content type, encoding, then the payload. */
// eslint-disable-next-line no-control-regex -- the separators are control characters
const typesPattern = /^([!-~]{1,128}\/[!-~]{1,128})\x00\x01([!-~]{1,64})\x00\x01/;
const maxTypesBytes = 330;

/**
 * Takes a signed body apart without verifying it. Celery below 5.5 writes signer and signature as raw bytes, where the
 * signature may itself hold a separator and its length is known only to the key; from 5.5 on both are base64.
 * @throws CeleryDecodeError `CELERY_SIGNED_INVALID`
 */
export function readSignedBody(body: Uint8Array): SignedBody {
  const frame = frameOf(body);
  const signerEnd = frame.indexOf(separator);
  if (signerEnd < 1) throw invalid('no signer', body);
  const signerField = frame.toString('latin1', 0, signerEnd);
  // A raw signer id holds a space, which base64 cannot.
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(signerField);
  const signatureStart = signerEnd + separator.length;
  for (let end = signatureStart; ; end++) {
    end = frame.indexOf(separator, end);
    if (end === -1 || end - signatureStart > 2 * maxSignatureBytes) throw invalid('no signature', body);
    const typesStart = end + separator.length;
    const types = typesPattern.exec(frame.toString('latin1', typesStart, typesStart + maxTypesBytes));
    if (types === null) continue;
    const field = frame.subarray(signatureStart, end);
    const signature = isBase64 ? fromBase64(field.toString('latin1')) : field;
    if (signature === null || signature.length < minSignatureBytes || signature.length > maxSignatureBytes) continue;
    const [head, contentType = '', contentEncoding = ''] = types;
    return {
      signer: isBase64
        ? (fromBase64(signerField)?.toString('utf8') ?? signerField)
        : frame.toString('utf8', 0, signerEnd),
      signature,
      contentType,
      contentEncoding,
      payload: frame.subarray(typesStart + head.length),
    };
  }
}

function frameOf(body: Uint8Array): Buffer {
  return fromBase64(asBuffer(body).toString('latin1', 0, body.length)) ?? asBuffer(body);
}

function fromBase64(text: string): Buffer | null {
  try {
    return base64Bytes(text);
  } catch {
    return null;
  }
}

function invalid(reason: string, body: Uint8Array): CeleryDecodeError {
  return new CeleryDecodeError('CELERY_SIGNED_INVALID', `not a signed body: ${reason}`, { bytes: body.length });
}

/**
 * Reads PEM certificates into a store. Expiry is not checked here: a monitor shows what was signed, it does not run it.
 * @throws the error of `node:crypto` for a text that is not a certificate
 */
export function certificateStore(pems: readonly string[]): CertificateStore {
  return new Map(
    pems.map((pem) => {
      const certificate = new X509Certificate(pem);
      return [signerIdOf(certificate), certificate.publicKey] as const;
    }),
  );
}

/** The id Celery gives a certificate: the issuer's values in order, then the serial number in decimal. */
function signerIdOf(certificate: X509Certificate): string {
  const values = certificate.issuer.split('\n').map((part) => part.slice(part.indexOf('=') + 1));
  return `${values.join(' ')} ${BigInt(`0x${certificate.serialNumber}`)}`;
}

/**
 * Checks the signature as Celery does: RSA-PSS over the payload.
 * @param digest the cluster's `security_digest`
 * @throws CeleryDecodeError `CELERY_SIGNATURE_WRONG` when the signer is not in the store or the signature does not match
 */
export function verifySignedBody(signed: SignedBody, certificates: CertificateStore, digest = 'sha256'): void {
  const facts = { signer: excerpt(signed.signer) };
  const key = certificates.get(signed.signer);
  if (key === undefined) throw new CeleryDecodeError('CELERY_SIGNATURE_WRONG', `unknown signer ${facts.signer}`, facts);
  let matches: boolean;
  try {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const saltLength = constants.RSA_PSS_SALTLEN_AUTO;
    matches = verify(digest, signed.payload, { key, padding, saltLength }, signed.signature);
  } catch (cause) {
    throw new CeleryDecodeError(
      'CELERY_SIGNATURE_WRONG',
      `signature of ${facts.signer} cannot be checked`,
      facts,
      cause,
    );
  }
  if (!matches)
    throw new CeleryDecodeError('CELERY_SIGNATURE_WRONG', `signature of ${facts.signer} does not match`, facts);
}
