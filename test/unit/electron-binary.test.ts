import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findElectronBinary } from '../../src-core/system/electron-binary.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const root = temporaryFolder()
const packageFolder = join(root, 'node_modules', 'electron')

test('the Electron binary is found where its installer puts it, or where the environment says, else not at all', () => {
  expect(findElectronBinary(root, {})).toBeUndefined()
  mkdirSync(join(packageFolder, 'dist'), { recursive: true })
  writeFileSync(join(packageFolder, 'path.txt'), 'Electron.exe\n')
  expect(findElectronBinary(root, {})).toBeUndefined()

  const installed = join(packageFolder, 'dist', 'Electron.exe')
  writeFileSync(installed, '')
  expect(findElectronBinary(root, {})).toBe(installed)

  const own = join(root, 'my-electron')
  expect(findElectronBinary(root, { ELECTRON_EXEC_PATH: own })).toBe(installed)
  writeFileSync(own, '')
  expect(findElectronBinary(root, { ELECTRON_EXEC_PATH: own })).toBe(own)
})
