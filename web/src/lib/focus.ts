import { tick } from 'svelte';

/**
 * Gives the focus to something in `place` when the page has changed, or, when that has gone its way, to the list in which it
 * was: never to nothing, from where keys begin at the top of the page.
 */
export async function focusIn(
  place: HTMLElement | null,
  find: () => HTMLElement | null | undefined,
  list = listOf(place),
): Promise<void> {
  await tick();
  // a page that was left takes all of it along
  if (!place) return;
  if (place.isConnected) {
    (find() ?? place).focus();
    return;
  }
  list?.setAttribute('tabindex', '-1');
  list?.focus({ preventScroll: true });
}

/** The list that something is in; to be asked while it is. */
export function listOf(place: HTMLElement | null): HTMLElement | null {
  return place && place.closest<HTMLElement>('ul, ol, main');
}

/** Gives the focus to the first field of a form that is refused, unless whoever sent the form is elsewhere by then. */
export async function focusWrong(form: HTMLElement): Promise<void> {
  await tick();
  const { activeElement } = document;
  if (activeElement && activeElement !== document.body && !form.contains(activeElement)) return;
  form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
}
