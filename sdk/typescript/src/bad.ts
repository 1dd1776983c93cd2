/** What was read or is to be written is not what the schema says. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';

  constructor(
    /** The field, such as `data.content`; empty: the message as a whole. */
    readonly field: string,
    /** What is wrong with it. */
    readonly reason: string,
  ) {
    super(field ? `${field}: ${reason}` : reason);
  }
}

/** A name within the names around it. */
export function dotted(around: readonly string[], name: string): string {
  return [...around, name].filter((part) => part !== '').join('.');
}
