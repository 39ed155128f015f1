/** Where something that is dragged in a list ends up. */

/**
 * Its new place among the others. `gap` is the place of the item before which it is dropped, or the number of items for
 * the end. Null if that changes nothing, or nothing is dragged.
 */
export function dropPosition(from: number, gap: number): number | null {
  if (from < 0 || gap === from || gap === from + 1) return null
  return gap > from ? gap - 1 : gap
}
