/** One stop of the Tab key for many small things: arrow keys, Home and End move between the elements marked `data-stop`. */

/** Handles a key that was pressed inside `container`; the element that gets the focus should become the Tab stop. */
export function moveFocus(event: KeyboardEvent, container: HTMLElement): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return
  const stops = [...container.querySelectorAll<HTMLElement>('[data-stop]')]
  const now = stops.indexOf(event.target as HTMLElement) // sound: only compared
  const targets: Readonly<Record<string, number>> = {
    ArrowRight: now + 1,
    ArrowDown: now + 1,
    ArrowLeft: now - 1,
    ArrowUp: now - 1,
    Home: 0,
    End: stops.length - 1,
  }
  const target = now < 0 ? undefined : stops[targets[event.key] ?? -1]
  if (!target) return
  event.preventDefault()
  target.focus()
}
