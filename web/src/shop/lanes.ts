/** Boxes of one column that would lie on each other stand beside each other instead. */

export interface Box {
  readonly top: number;
  readonly bottom: number;
}

export interface Place {
  /** Which of the lanes it is in, from 0, and how many there are where it is. */
  readonly lane: number;
  readonly lanes: number;
}

/** Where each of the boxes goes. They come from the top to the bottom; those that touch do not overlap. */
export function lanesOf(boxes: readonly Box[]): Place[] {
  const places: { lane: number; lanes: number }[] = [];
  let group: { lane: number; lanes: number }[] = [];
  let ends: number[] = [];
  for (const { top, bottom } of boxes) {
    // below everything so far: another group
    if (ends.every((end) => end <= top)) [group, ends] = [[], []];
    const free = ends.findIndex((end) => end <= top);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = bottom;
    const place = { lane, lanes: 0 };
    group.push(place);
    places.push(place);
    for (const one of group) one.lanes = ends.length;
  }
  return places;
}
