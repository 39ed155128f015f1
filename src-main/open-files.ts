/** Files that a person or the system hands over: a model is added to the catalogue, a recipe opens where runs begin. */
import { extname, resolve } from 'node:path'
import { dialog, type BrowserWindow } from 'electron'
import { createApiClient, type Transport } from '../src-shared/api/transport.ts'
import { href } from '../src-shared/routes.ts'
import { AppError, toWireError } from '../src-shared/errors.ts'

/** The files among a program's arguments, absolute. */
export function filesAmong(args: readonly string[], workingFolder: string): readonly string[] {
  return args
    .filter((arg) => !arg.startsWith('-') && /\.(gguf|toml)$/i.test(arg))
    .map((arg) => resolve(workingFolder, arg))
}

type Open = (paths: readonly string[]) => void

/** Files that come before there is a window wait for it; later ones are opened at once. */
export function queueFiles(first: readonly string[]): { readonly add: Open; openWith(open: Open): void } {
  let waiting = first
  let opener: Open | undefined
  return {
    add: (paths) => {
      if (opener) opener(paths)
      else waiting = [...waiting, ...paths]
    },
    openWith: (open) => {
      opener = open
      open(waiting)
    },
  }
}

/** The address of the screen that a file opens. Throws `invalid_input` for another kind, and what adding a model throws. */
export async function addressOf(path: string, app: Transport): Promise<string> {
  switch (extname(path).toLowerCase()) {
    case '.gguf':
      await createApiClient(app).call('models.add', { path })
      return href('models')
    case '.toml':
      return href({ recipe: path })
    default:
      throw new AppError('invalid_input', 'Choose a model (.gguf) or a recipe (.toml).', { path })
  }
}

/** Opens each file in turn; what cannot be opened is said in a message box. */
export async function openFiles(
  paths: readonly string[],
  app: Transport,
  window: BrowserWindow,
  goTo: (address: string) => void,
): Promise<void> {
  for (const path of paths) {
    try {
      goTo(await addressOf(path, app))
    } catch (error) {
      await dialog.showMessageBox(window, {
        type: 'error',
        message: 'This file cannot be opened.',
        detail: `${path}\n\n${toWireError(error).message}`,
      })
    }
  }
}

/** Asks for a model file. Empty if the person thinks better of it. */
export async function chooseModel(window: BrowserWindow): Promise<readonly string[]> {
  const { filePaths } = await dialog.showOpenDialog(window, {
    properties: ['openFile', 'multiSelections'],
    filters: [{ name: 'GGUF models', extensions: ['gguf'] }],
  })
  return filePaths
}
