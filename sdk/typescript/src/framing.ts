import { BadMessage } from './bad.ts';

/** Length of the zero byte and the schema's id. */
const HEADER = 5;

/** Avro in the registry's frame: a zero byte, the schema's id, the body. */
export function frame(schemaId: number, body: Uint8Array): Uint8Array {
  const framed = new Uint8Array(HEADER + body.length);
  new DataView(framed.buffer).setUint32(1, schemaId);
  framed.set(body, HEADER);
  return framed;
}

/** What is in a frame. Throws a {@link BadMessage} where there is none. */
export function unframe(framed: Uint8Array): { readonly schemaId: number; readonly body: Uint8Array } {
  if (framed.length < HEADER || framed[0] !== 0) {
    throw new BadMessage('', 'no Avro in the registry’s frame: it does not begin with a zero byte and a schema id');
  }
  const schemaId = new DataView(framed.buffer, framed.byteOffset).getUint32(1);
  return { schemaId, body: framed.subarray(HEADER) };
}
