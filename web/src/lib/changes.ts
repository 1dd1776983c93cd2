/** Texts by the names of their fields. */
export type Texts<F extends string> = Readonly<Record<F, string>>;

/** Of what was typed, what differs from what is known; blanks around a text are nobody's wish. */
export function changed<F extends string>(known: Texts<F>, typed: Partial<Texts<F>>): Partial<Record<F, string>> {
  const changes: Partial<Record<F, string>> = {};
  for (const field of Object.keys(known) as F[]) {
    const text = typed[field]?.trim();
    if (text !== undefined && text !== known[field]) changes[field] = text;
  }
  return changes;
}

/** What was typed without what is known by now: those fields follow again what others change. */
export function unsettled<F extends string>(known: Texts<F>, typed: Partial<Texts<F>>): Partial<Record<F, string>> {
  const rest: Partial<Record<F, string>> = {};
  // as it stands in its field: a blank at the end may be the beginning of another word
  for (const [field, text] of Object.entries(typed) as [F, string][]) if (text !== known[field]) rest[field] = text;
  return rest;
}
