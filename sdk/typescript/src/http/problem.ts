/** Why a command was refused, rule by rule. */
export interface Violation {
  readonly code: string;
  readonly message: string;
  readonly field?: string | null;
  readonly pointer?: string | null;
}

/** A problem document (RFC 9457), as far as pages use it. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly failure?: string | null;
  readonly violations?: readonly Violation[];
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

const TYPE = 'urn:millrace:problem:';

/** What a gateway answered instead of what was asked for, or that none answered (`status` 0). */
export class Problem extends Error {
  constructor(readonly document: ProblemDocument) {
    super(document.detail ?? document.title);
  }

  get status(): number {
    return this.document.status;
  }

  /** The last part of its type: `rejected`, `unauthenticated`. */
  get kind(): string {
    const { type } = this.document;
    return type.startsWith(TYPE) ? type.slice(TYPE.length) : type;
  }

  /** The failure that the command's schema names: `OrderCreationFailed`. */
  get failure(): string | null {
    return this.document.failure ?? null;
  }

  /** Whether the command was decided, and refused. */
  get isRejection(): boolean {
    return this.kind === 'rejected';
  }

  /** Whether the same may be asked again, as nothing was said of it. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500 || this.kind === 'too-slow';
  }

  /** What is wrong, each with the field that it is about; `null`: with all of it. */
  get reasons(): { field: string | null; message: string; code: string }[] {
    const { violations, errors } = this.document;
    if (violations?.length) {
      return violations.map(({ field, message, code }) => ({ field: field || null, message, code }));
    }
    if (errors?.length) {
      return errors.map(({ pointer, detail }) => {
        const field = pointer.startsWith('/data/') ? (pointer.split('/')[2] ?? null) : null;
        return { field, message: detail, code: this.kind };
      });
    }
    return [{ field: null, message: this.message, code: this.kind }];
  }

  /** The one that an answer holds. */
  static async of(response: Response): Promise<Problem> {
    try {
      const document = (await response.json()) as ProblemDocument;
      if (typeof document.type === 'string') return new Problem({ ...document, status: response.status });
    } catch {
      // whoever stands in front of the gateway has said it in its own way
    }
    const title = response.statusText || 'No answer of the gateway';
    return new Problem({ type: 'about:blank', title, status: response.status, detail: `${response.status}: ${title}` });
  }

  /** That nobody answered. */
  static unreached(): Problem {
    const detail = 'The gateway cannot be reached; it is tried again.';
    return new Problem({ type: 'about:blank', title: 'No connection', status: 0, detail });
  }
}
