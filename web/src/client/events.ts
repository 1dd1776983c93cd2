/** An event of a stream of server-sent events. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** Reads server-sent events (HTML, 9.2) out of text as it comes, in pieces cut anywhere. */
export class EventReader {
  #rest = '';
  #event = '';
  #data: string[] = [];
  /** The last id that was given. */
  lastId = '';
  /** How long to wait before connecting again, in ms, if the server said so. */
  retry: number | undefined;

  /** The events that `text` completes. */
  push(text: string): ServerEvent[] {
    this.#rest += text;
    const found: ServerEvent[] = [];
    for (;;) {
      const end = this.#rest.search(/\r\n|\n|\r/);
      // a carriage return at the end may be half of a line's end
      if (end < 0 || (this.#rest[end] === '\r' && end === this.#rest.length - 1)) return found;
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + (this.#rest.startsWith('\r\n', end) ? 2 : 1));
      const event = this.#line(line);
      if (event) found.push(event);
    }
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') {
      const event = { event: this.#event || 'message', data: this.#data.join('\n') };
      const isWhole = this.#data.length > 0 || this.#event !== '';
      this.#event = '';
      this.#data = [];
      return isWhole ? event : undefined;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.lastId = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }
}
