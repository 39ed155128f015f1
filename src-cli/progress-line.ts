/** The last line of a terminal, redrawn as work goes on. */
import type { WriteStream } from 'node:tty'

export type ProgressStream = Pick<WriteStream, 'write'> & {
  readonly isTTY?: boolean
  readonly columns?: number
}

export type ProgressLine = {
  /** Writes a line that stays, in place of the drawn one. */
  keep(line: string): void
  /** Draws a line in place of the drawn one, cut to the terminal's width. */
  redraw(line: string): void
  /** Leaves the drawn line behind. */
  end(): void
}

export function createProgressLine(stream: ProgressStream): ProgressLine {
  let isDrawn = false
  return {
    keep(line) {
      stream.write(`${isDrawn ? '\r\x1b[K' : ''}${line}\n`)
      isDrawn = false
    },
    redraw(line) {
      stream.write(`\r\x1b[K${line.slice(0, (stream.columns ?? 80) - 1)}`)
      isDrawn = true
    },
    end() {
      if (isDrawn) stream.write('\n')
      isDrawn = false
    },
  }
}

export function progressBar(done: number, total: number, length: number): string {
  const filled = Math.round((length * done) / Math.max(total, 1))
  return `[${'#'.repeat(filled)}${'.'.repeat(length - filled)}]`
}
