/** Where the store is on each platform, and how a download's progress reads. */
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { createProgressDisplay } from '../../src-cli/progress.ts'
import { defaultStoreFolder } from '../../src-core/system/store-folder.ts'

const home = resolve('/home/me')

test.each([
  ['linux', {}, join(home, '.local', 'share', 'selkie')],
  ['linux', { XDG_DATA_HOME: resolve('/data') }, join(resolve('/data'), 'selkie')],
  ['freebsd', { XDG_DATA_HOME: '' }, join(home, '.local', 'share', 'selkie')],
  ['darwin', { XDG_DATA_HOME: '/data' }, join(home, 'Library', 'Application Support', 'Selkie')],
  ['win32', { LOCALAPPDATA: resolve('/local') }, join(resolve('/local'), 'Selkie')],
  ['win32', {}, join(home, 'AppData', 'Local', 'Selkie')],
  ['darwin', { SELKIE_STORE: 'here' }, resolve('here')],
] as const)('on %s with %o the store is %s', (platform, env, folder) => {
  expect(defaultStoreFolder(env, platform, home)).toBe(folder)
})

test.each([false, true])(
  'a download shows how much there is and how long it takes (terminal: %s)',
  (isTTY) => {
    let written = ''
    let nowMs = 0
    const write = (chunk: string | Uint8Array) => ((written += String(chunk)), true)
    const { show, end } = createProgressDisplay({ isTTY, columns: 80, write }, () => nowMs)
    show({ type: 'phase', phase: 'downloading' })
    for (const receivedBytes of [0, 250e6, 300e6, 500e6]) {
      show({ type: 'download', receivedBytes, totalBytes: 500e6, bytesPerSecond: receivedBytes / 3 })
      nowMs += 1_500
    }
    end()
    const lines = written.split(/\r\x1b\[K|\n/).filter(Boolean)
    expect(lines).toEqual(
      isTTY
        ? [
            'Downloading …',
            '[........................] 0 kB of 500.0 MB  0 kB/s',
            '[############............] 250.0 MB of 500.0 MB  83.3 MB/s  3 s left',
            '[##############..........] 300.0 MB of 500.0 MB  100.0 MB/s  2 s left',
            '[########################] 500.0 MB of 500.0 MB  166.7 MB/s',
          ]
        : [
            'Downloading …',
            '0 kB of 500.0 MB  0 kB/s',
            '300.0 MB of 500.0 MB  100.0 MB/s  2 s left',
            '500.0 MB of 500.0 MB  166.7 MB/s',
          ],
    )
  },
)
