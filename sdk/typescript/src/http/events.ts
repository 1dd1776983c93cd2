/** An event of a stream of server-sent events. */
export interface ServerEvent {
  /** Its name; '' for an id alone. */
  readonly event: string;
  readonly data: string;
  /** The id that stood in it, if one did. */
  readonly id: string | undefined;
}

/** Reads server-sent events (HTML, 9.2) out of text as it comes, in pieces cut anywhere. */
export class EventReader {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #id: string | undefined;

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
      const event = line === '' ? this.#whole() : this.#field(line);
      if (event) found.push(event);
    }
  }

  #whole(): ServerEvent | undefined {
    const hasData = this.#data.length > 0;
    const event = { event: hasData ? this.#event || 'message' : '', data: this.#data.join('\n'), id: this.#id };
    this.#event = '';
    this.#data = [];
    this.#id = undefined;
    return hasData || event.id !== undefined ? event : undefined;
  }

  #field(line: string): undefined {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    return undefined;
  }
}
