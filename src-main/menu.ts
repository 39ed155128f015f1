/** The native menu, as data: what it offers depends on the platform, the recent runs and the run that is worked on. */
import type { MenuItemConstructorOptions } from 'electron'
import type { RunRow } from '../src-shared/api/workbench.ts'
import { href } from '../src-shared/routes.ts'
import { links } from './guard.ts'

export type MenuState = {
  readonly platform: NodeJS.Platform
  readonly isPackaged: boolean
  readonly recentRuns: readonly Pick<RunRow, 'id' | 'name' | 'status'>[]
  readonly workingOn: string | null // id of a run
}

export type MenuActions = {
  goTo(address: string): void
  openModel(): void
  pause(runId: string): void
  cancel(runId: string): void
  openLink(url: string): void
}

type Item = MenuItemConstructorOptions
const separator: Item = { type: 'separator' }

export function menuTemplate(state: MenuState, actions: MenuActions): Item[] {
  const isMac = state.platform === 'darwin'
  const settings: Item = {
    label: isMac ? 'Settings…' : 'Settings',
    accelerator: 'CmdOrCtrl+,',
    click: () => actions.goTo(href('settings')),
  }
  return [
    ...(isMac ? [applicationMenu(settings)] : []),
    {
      label: '&File',
      submenu: [
        { label: 'New run…', accelerator: 'CmdOrCtrl+N', click: () => actions.goTo(href({ recipe: '' })) },
        { label: 'Open model…', accelerator: 'CmdOrCtrl+O', click: () => actions.openModel() },
        { label: 'Recent runs', submenu: recentRuns(state, actions) },
        separator,
        ...(isMac ? [] : [settings, separator]),
        { role: 'close' },
        ...(isMac ? [] : [{ role: 'quit' } satisfies Item]),
      ],
    },
    { role: 'editMenu' },
    {
      label: '&View',
      submenu: [
        { role: 'reload' },
        ...(state.isPackaged ? [] : [{ role: 'toggleDevTools' } satisfies Item]),
        separator,
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        separator,
        { role: 'togglefullscreen' },
        { label: 'Theme…', click: () => actions.goTo(href('settings')) },
      ],
    },
    runMenu(state, actions),
    {
      role: 'help',
      submenu: [
        { label: 'Help', accelerator: 'F1', click: () => actions.goTo(href('help')) },
        {
          label: 'Documentation',
          submenu: links.map(({ label, url }) => ({ label, click: () => actions.openLink(url) })),
        },
        { label: 'Copy diagnostics…', click: () => actions.goTo(href('help')) },
        ...(isMac ? [] : [separator, { role: 'about' } satisfies Item]),
      ],
    },
  ]
}

function applicationMenu(settings: Item): Item {
  return {
    role: 'appMenu',
    submenu: [
      { role: 'about' },
      separator,
      settings,
      separator,
      { role: 'services' },
      separator,
      { role: 'hide' },
      { role: 'hideOthers' },
      { role: 'unhide' },
      separator,
      { role: 'quit' },
    ],
  }
}

function runMenu({ workingOn }: MenuState, actions: MenuActions): Item {
  const enabled = workingOn !== null
  const withRun = (action: (runId: string) => void) => () => {
    if (workingOn !== null) action(workingOn)
  }
  return {
    label: '&Run',
    submenu: [
      {
        label: 'Show the running run',
        accelerator: 'CmdOrCtrl+Shift+R',
        enabled,
        click: withRun((runId) => actions.goTo(href('runs', runId))),
      },
      separator,
      {
        label: 'Pause',
        accelerator: 'CmdOrCtrl+Shift+P',
        enabled,
        click: withRun((runId) => actions.pause(runId)),
      },
      {
        label: 'Cancel…',
        accelerator: 'CmdOrCtrl+.',
        enabled,
        click: withRun((runId) => actions.cancel(runId)),
      },
    ],
  }
}

function recentRuns({ recentRuns }: MenuState, actions: MenuActions): Item[] {
  if (recentRuns.length === 0) return [{ label: 'None yet', enabled: false }]
  return recentRuns.map(({ id, name, status }) => ({
    label: menuText(`${name} (${id}, ${status})`),
    click: () => actions.goTo(href('runs', id)),
  }))
}

/** Names are anybody's text: an & would mark a letter, and a line break or a direction mark would mislead. */
function menuText(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').replaceAll('&', '&&')
  return plain.length > 80 ? `${plain.slice(0, 79)}…` : plain
}
