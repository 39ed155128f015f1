/** Where the window was: kept as JSON, and used again only if it still lies on a display. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { BrowserWindow, Rectangle } from 'electron'

/** Without `bounds` the system chooses the place, and the size is the usual one. Lengths in device-independent pixels. */
export type WindowState = { readonly bounds?: Rectangle; readonly isMaximized: boolean }

/** How much of the window must be on a display for a person to be able to take hold of it. */
const graspable = { width: 120, height: 40 }

/** What was kept at `path`. A place that cannot be read, or is on no display any more, is forgotten. */
export function readWindowState(path: string, workAreas: readonly Rectangle[]): WindowState {
  const kept = parse(readIfThere(path))
  const { bounds } = kept
  return bounds && workAreas.some((area) => isGraspable(bounds, area))
    ? kept
    : { isMaximized: kept.isMaximized }
}

/** Replaces what was kept at once, so that a reader finds the old or the new. Throws what the file system throws. */
export function writeWindowState(path: string, state: WindowState): void {
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, JSON.stringify(state), { mode: 0o600 })
  renameSync(temporary, path)
}

/** Of a maximised window, the bounds it would go back to. */
export function stateOf(window: BrowserWindow): WindowState {
  return { bounds: window.getNormalBounds(), isMaximized: window.isMaximized() }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '' // sound: only asked whether it is there
    throw error
  }
}

function parse(text: string): WindowState {
  try {
    const { bounds, isMaximized } = JSON.parse(text) as Partial<WindowState> // sound: each part is checked
    const { x, y, width, height } = bounds ?? {}
    const isWhole = [x, y, width, height].every(Number.isInteger) && Number(width) > 0 && Number(height) > 0
    return { ...(isWhole && bounds && { bounds }), isMaximized: isMaximized === true }
  } catch (error) {
    // Nothing was kept, or something else has written into the file: the usual place is right then.
    if (error instanceof SyntaxError || error instanceof TypeError) return { isMaximized: false }
    throw error
  }
}

/** The upper edge counts: that is where a window is moved by. */
function isGraspable({ x, y, width }: Rectangle, area: Rectangle): boolean {
  const shownWidth = Math.min(x + width, area.x + area.width) - Math.max(x, area.x)
  return (
    shownWidth >= Math.min(graspable.width, width) &&
    y >= area.y &&
    y + graspable.height <= area.y + area.height
  )
}
