/** What makes the window part of its desktop: menu, place, files, progress, a quit that loses nothing. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MenuItemConstructorOptions } from 'electron'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createWorkIndicator, watchWork, type Working } from '../../src-main/activity.ts'
import { createMenuBar } from '../../src-main/menu-bar.ts'
import { menuTemplate, type MenuActions, type MenuState } from '../../src-main/menu.ts'
import { filesAmong, openFiles, queueFiles } from '../../src-main/open-files.ts'
import { quitAfter } from '../../src-main/quit.ts'
import { readWindowState, writeWindowState, type WindowState } from '../../src-main/window-state.ts'
import { createWindow, paper } from '../../src-main/window.ts'
import type { Reply, Transport } from '../../src-shared/api/transport.ts'
import { answers, app, BrowserWindow, nativeTheme, recorded } from '../fake-electron.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const folder = temporaryFolder()
const statePath = join(folder, 'window.json')

beforeEach(() => {
  recorded.calls.length = 0
  recorded.menus.length = 0
  recorded.messages.length = 0
  answers.messageBox = 0
})
afterEach(() => {
  app.removeAllListeners()
  vi.useRealTimers()
})

/** Sound: the fake has the parts of a window that the shell uses. */
const newWindow = (): { fake: BrowserWindow; window: never } => {
  const fake = new BrowserWindow({ webPreferences: {} })
  return { fake, window: fake as never }
}

/** A host whose replies and events a test decides. */
function hostWith(reply: (method: string, input: unknown) => Reply) {
  const listeners = new Set<(name: string, payload: unknown) => void>()
  const asked: [string, unknown][] = []
  const transport: Transport = {
    async request(method, input) {
      asked.push([method, input])
      return reply(method, input)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const tell = (payload: unknown): void => listeners.forEach((listener) => listener('run', payload))
  return { transport, asked, tell }
}

// ---------------------------------------------------------------------------------------------- the window's place

const display = { x: 0, y: 0, width: 1920, height: 1080 }
const at = (x: number, y: number): WindowState => ({
  bounds: { x, y, width: 800, height: 600 },
  isMaximized: false,
})

test('the window comes back to where it was, and nothing else lies beside the file', () => {
  writeWindowState(statePath, { ...at(100, 50), isMaximized: true })
  expect(readWindowState(statePath, [display])).toEqual({ ...at(100, 50), isMaximized: true })
  expect(readdirSync(folder)).toEqual(['window.json'])
})

test.each([
  ['on a display that is gone', at(3000, 100)],
  ['left of every display', at(-750, 100)],
  ['with its upper edge above the display', at(100, -20)],
  ['with its upper edge below the display', at(100, 1070)],
])('a window %s comes back in the usual place', (_where, state) => {
  writeWindowState(statePath, state)
  expect(readWindowState(statePath, [display])).toEqual({ isMaximized: false })
})

test('a window on a second display comes back there', () => {
  writeWindowState(statePath, at(-1500, 200))
  expect(readWindowState(statePath, [display, { ...display, x: -1920 }])).toEqual(at(-1500, 200))
})

test.each(['', 'null', '7', '{', '[]', '{"bounds":7}', '{"bounds":{"x":1,"y":1,"width":-5,"height":1e999}}'])(
  'a file that holds %j is no place',
  (text) => {
    writeFileSync(statePath, text)
    expect(readWindowState(statePath, [display])).toEqual({ isMaximized: false })
  },
)

test('a window opens maximised where it was, and keeps its place when it closes', () => {
  writeWindowState(statePath, { ...at(100, 50), isMaximized: true })
  // Sound: it is the fake that createWindow makes.
  const window = createWindow({ preload: 'p', statePath }) as unknown as BrowserWindow
  expect(window.options).toMatchObject(at(100, 50).bounds ?? {})
  expect(window.calls).toEqual(['maximize'])
  writeFileSync(statePath, '')
  window.emit('close', { preventDefault: vi.fn() })
  expect(JSON.parse(readFileSync(statePath, 'utf8'))).toEqual({ ...at(100, 50), isMaximized: true })
})

test('the background follows the system’s theme until the window is closed', () => {
  const window = createWindow({ preload: 'p', statePath }) as unknown as BrowserWindow
  expect(window.backgroundColor).toBe(paper.dark)
  nativeTheme.shouldUseDarkColors = false
  nativeTheme.emit('updated')
  expect(window.backgroundColor).toBe(paper.light)
  window.emit('closed')
  nativeTheme.shouldUseDarkColors = true
  nativeTheme.emit('updated')
  expect(window.backgroundColor).toBe(paper.light)
})

test('a page that has died is shown anew, after a word about it', async () => {
  const window = createWindow({ preload: 'p', statePath }) as unknown as BrowserWindow
  window.webContents.emit('render-process-gone', {}, { reason: 'clean-exit' })
  window.webContents.emit('render-process-gone', {}, { reason: 'oom' })
  await vi.waitUntil(() => recorded.calls.includes('reload'))
  expect(recorded.calls.filter((call) => call === 'reload')).toEqual(['reload'])
  expect(recorded.messages).toMatchObject([{ detail: expect.stringContaining('oom') }])
})

// ---------------------------------------------------------------------------------------------- the menu

const state: MenuState = { platform: 'linux', isPackaged: true, recentRuns: [], workingOn: null }

function actionsOf(): MenuActions & { readonly done: unknown[][] } {
  const done: unknown[][] = []
  const note =
    (name: string) =>
    (...args: unknown[]): void =>
      void done.push([name, ...args])
  return {
    done,
    goTo: note('goTo'),
    openModel: note('openModel'),
    pause: note('pause'),
    cancel: note('cancel'),
    openLink: note('openLink'),
  }
}

function itemsOf(template: readonly MenuItemConstructorOptions[]): MenuItemConstructorOptions[] {
  return template.flatMap((item) => [item, ...(Array.isArray(item.submenu) ? itemsOf(item.submenu) : [])])
}

function choose(template: readonly MenuItemConstructorOptions[], label: string): void {
  const item = itemsOf(template).find((each) => each.label === label)
  if (!item?.click || item.enabled === false) throw new Error(`"${label}" cannot be chosen.`)
  item.click({} as never, undefined, {})
}

test.each(['linux', 'win32', 'darwin'] as const)(
  'on %s the menu has its parts, and no two items share a shortcut',
  (platform) => {
    const template = menuTemplate({ ...state, platform }, actionsOf())
    const names = template.map(({ label, role }) => label?.replace('&', '') ?? role)
    const own = ['File', 'editMenu', 'View', 'Run', 'help']
    expect(names).toEqual(platform === 'darwin' ? ['appMenu', ...own] : own)
    const shortcuts = itemsOf(template).flatMap(({ accelerator }) => accelerator ?? [])
    expect(shortcuts).toContain('CmdOrCtrl+N')
    expect(new Set(shortcuts).size).toBe(shortcuts.length)
    for (const role of ['about', 'quit', 'reload', 'zoomIn', 'togglefullscreen', 'close'])
      expect([role, itemsOf(template).filter((item) => item.role === role).length]).toEqual([role, 1])
  },
)

test('developer tools are offered only where the app is not packaged', () => {
  const has = (isPackaged: boolean): boolean =>
    itemsOf(menuTemplate({ ...state, isPackaged }, actionsOf())).some(({ role }) => role === 'toggleDevTools')
  expect([has(true), has(false)]).toEqual([false, true])
})

test('what acts on the running run can be chosen only while there is one', () => {
  const idle = menuTemplate(state, actionsOf())
  expect(() => choose(idle, 'Pause')).toThrow('cannot be chosen')
  const actions = actionsOf()
  const working = menuTemplate({ ...state, workingOn: 'r1' }, actions)
  for (const label of ['Show the running run', 'Pause', 'Cancel…']) choose(working, label)
  expect(actions.done).toEqual([
    ['goTo', '#/runs/r1'],
    ['pause', 'r1'],
    ['cancel', 'r1'],
  ])
})

test('recent runs open their screens, and their names are text without any effect', () => {
  const actions = actionsOf()
  const name = `a&b\n\u202Egnp.${'x'.repeat(100)}`
  const template = menuTemplate({ ...state, recentRuns: [{ id: 'r/1', name, status: 'done' }] }, actions)
  const [item] = itemsOf(template).filter(({ label }) => label?.startsWith('a&&b'))
  expect(item?.label).toMatch(/^a&&b gnp\.x+…$/)
  choose(template, item?.label ?? '')
  expect(actions.done).toEqual([['goTo', '#/runs/r%2F1']])
})

const row = (id: string) => ({ id, name: 'demo', status: 'running' })
const lastMenu = (): MenuItemConstructorOptions[] => recorded.menus.at(-1) ?? []
const labels = (): (string | undefined)[] => itemsOf(lastMenu()).map(({ label }) => label)

test('the menu learns of a run that begins and of one that ends, and is left alone while one gets on', async () => {
  const rows = [row('r1')]
  const { transport } = hostWith(() => ({ ok: true, value: { total: 1, rows } }))
  const { window } = newWindow()
  const options = { app: transport, window, isPackaged: true, goTo: vi.fn(), openModel: vi.fn() }
  const update = createMenuBar(options)
  expect(() => choose(lastMenu(), 'Pause')).toThrow()
  await vi.waitUntil(() => labels().includes('demo (r1, running)'))
  update({ runId: 'r2', share: null })
  rows.unshift(row('r2'))
  await vi.waitUntil(() => labels().includes('demo (r2, running)'))
  const shown = recorded.menus.length
  update({ runId: 'r2', share: 0.5 })
  expect(recorded.menus.length).toBe(shown)
  choose(lastMenu(), 'Pause')
  update(null)
  expect(() => choose(lastMenu(), 'Pause')).toThrow()
})

test('a run is cancelled from the menu only by someone who means it', async () => {
  const { transport, asked } = hostWith(() => ({ ok: true, value: { total: 0, rows: [] } }))
  const { window } = newWindow()
  const options = { app: transport, window, isPackaged: true, goTo: vi.fn(), openModel: vi.fn() }
  createMenuBar(options)({ runId: 'r1', share: null })
  const cancelled = (): unknown[] => asked.filter(([method]) => method === 'runs.cancel')
  choose(lastMenu(), 'Cancel…')
  await vi.waitUntil(() => recorded.messages.length === 1)
  await new Promise(setImmediate)
  expect(cancelled()).toEqual([])
  answers.messageBox = 1
  choose(lastMenu(), 'Cancel…')
  await vi.waitUntil(() => cancelled().length > 0)
  expect(cancelled()).toEqual([['runs.cancel', { id: 'r1' }]])
})

test('what a menu item cannot do is said', async () => {
  const error = { code: 'conflict', message: 'Nobody works on run r1.' } as const
  const { transport } = hostWith((method) =>
    method === 'runs.pause' ? { ok: false, error } : { ok: true, value: { total: 0, rows: [] } },
  )
  const { window } = newWindow()
  const options = { app: transport, window, isPackaged: true, goTo: vi.fn(), openModel: vi.fn() }
  createMenuBar(options)({ runId: 'r1', share: null })
  choose(lastMenu(), 'Pause')
  await vi.waitUntil(() => recorded.messages.length > 0)
  expect(recorded.messages).toEqual([{ type: 'error', message: error.message }])
})

// ---------------------------------------------------------------------------------------------- files

test('files are found among the arguments, options are not files', () => {
  const args = ['.', '--inspect', '-x.gguf', 'a.gguf', '/b/C.TOML', 'notes.txt', 'index.js']
  expect(filesAmong(args, '/home/me')).toEqual(['/home/me/a.gguf', '/b/C.TOML'])
})

test('files wait for the window and are then opened as they come', () => {
  const open = vi.fn()
  const files = queueFiles(['a'])
  files.add(['b'])
  expect(open).not.toHaveBeenCalled()
  files.openWith(open)
  files.add(['c'])
  expect(open.mock.calls).toEqual([[['a', 'b']], [['c']]])
})

test('a model is added and shown, a recipe opens where runs begin, anything else is explained', async () => {
  const { transport, asked } = hostWith((_method, input) =>
    JSON.stringify(input).includes('bad')
      ? { ok: false, error: { code: 'corrupt_file', message: 'It holds no tensors. Download it again.' } }
      : { ok: true, value: {} },
  )
  const goTo = vi.fn()
  await openFiles(
    ['/m/good.GGUF', '/r/own.toml', '/m/bad.gguf', '/x/notes.txt'],
    transport,
    newWindow().window,
    goTo,
  )
  expect(asked.map(([method]) => method)).toEqual(['models.add', 'models.add'])
  expect(goTo.mock.calls).toEqual([['#/models'], ['#/?recipe=%2Fr%2Fown.toml']])
  expect(recorded.messages.map(({ detail }) => detail)).toEqual([
    '/m/bad.gguf\n\nIt holds no tensors. Download it again.',
    '/x/notes.txt\n\nChoose a model (.gguf) or a recipe (.toml).',
  ])
})

// ---------------------------------------------------------------------------------------------- work

test('a run that begins, gets on and ends is told, other news are not', () => {
  const { transport, tell } = hostWith(() => ({ ok: true, value: null }))
  const seen: (Working | null)[] = []
  watchWork(transport, (working) => seen.push(working))
  const event = (type: string): void => tell({ type: 'event', event: { runId: 'r1', type } })
  event('running')
  event('candidate')
  tell({ type: 'progress', progress: { runId: 'r1', done: 1, total: 4 } })
  tell({ type: 'progress', progress: { runId: 'r1', done: 0, total: 0 } })
  for (const end of ['paused', 'cancelled', 'failed', 'done']) event(end)
  expect(seen).toEqual([
    { runId: 'r1', share: null },
    { runId: 'r1', share: 0.25 },
    { runId: 'r1', share: null },
    ...[null, null, null, null],
  ])
})

test('the machine stays awake and the progress is shown for as long as a run works', () => {
  const { fake, window } = newWindow()
  const indicate = createWorkIndicator(window)
  indicate({ runId: 'r1', share: null })
  indicate({ runId: 'r1', share: 0.5 })
  expect(recorded.powerSaveBlockers).toEqual([{ type: 'prevent-app-suspension', isStopped: false }])
  indicate(null)
  indicate(null)
  expect(recorded.powerSaveBlockers).toEqual([{ type: 'prevent-app-suspension', isStopped: true }])
  expect(fake.progress).toEqual([2, 0.5, -1, -1])
})

// ---------------------------------------------------------------------------------------------- quitting

function closeOf(fake: BrowserWindow): boolean {
  const event = { preventDefault: vi.fn() }
  fake.emit('close', event)
  return event.preventDefault.mock.calls.length === 0
}
function quit(): boolean {
  const event = { preventDefault: vi.fn() }
  app.emit('before-quit', event)
  return event.preventDefault.mock.calls.length === 0
}
const quits = (): number => recorded.calls.filter((call) => call === 'quit').length

test('closing the window quits, and the window stays until all is put away', async () => {
  const { fake, window } = newWindow()
  const disposed = Promise.withResolvers<void>()
  const dispose = vi.fn(() => disposed.promise)
  quitAfter(dispose, window)
  expect([closeOf(fake), quits()]).toEqual([false, 1])
  expect([quit(), quit(), closeOf(fake)]).toEqual([false, false, false])
  expect(dispose).toHaveBeenCalledOnce()
  disposed.resolve()
  await vi.waitUntil(() => quits() === 3)
  expect([quit(), closeOf(fake)]).toEqual([true, true])
  expect(recorded.messages).toEqual([])
})

test('a quit that takes longer than two seconds is explained, and the note goes when it is over', async () => {
  vi.useFakeTimers()
  const disposed = Promise.withResolvers<void>()
  quitAfter(() => disposed.promise, newWindow().window)
  quit()
  await vi.advanceTimersByTimeAsync(1_900)
  expect(recorded.messages).toEqual([])
  await vi.advanceTimersByTimeAsync(200)
  const [note] = recorded.messages
  expect(note).toMatchObject({
    message: 'Pausing the run …',
    detail: expect.stringContaining('Nothing is lost'),
  })
  expect([note?.signal?.aborted, quits()]).toEqual([false, 0])
  disposed.resolve()
  await vi.advanceTimersByTimeAsync(0)
  expect([note?.signal?.aborted, quits()]).toEqual([true, 1])
})

test('someone who does not want to wait need not', async () => {
  vi.useFakeTimers()
  answers.messageBox = 1
  quitAfter(() => new Promise(() => undefined), newWindow().window)
  quit()
  await vi.advanceTimersByTimeAsync(2_000)
  expect([quits(), quit()]).toEqual([1, true])
})

test('a quit goes on when putting away fails, and says why', async () => {
  const complain = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  quitAfter(() => Promise.reject(new Error('the disk is gone')), newWindow().window)
  quit()
  await vi.waitUntil(() => quits() === 1)
  expect(complain.mock.lastCall?.[0]).toMatchObject({ message: 'the disk is gone' })
  complain.mockRestore()
})
