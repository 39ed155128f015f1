/** Looks at the machine and says what is missing and how to get it. Starts both compute processes to see them run. */
import { statfs } from 'node:fs/promises'
import { arch, availableParallelism, cpus, freemem, platform, release, totalmem } from 'node:os'
import type { DoctorCheck, DoctorReport } from '../../src-shared/api/doctor.ts'
import type { DeviceInfo } from '../../src-shared/compute-protocol.ts'
import { toWireError } from '../../src-shared/errors.ts'
import { findElectronBinary, howToGetElectron } from './electron-binary.ts'

export type DoctorOptions = {
  readonly selkieVersion: string
  readonly root: string // the project's or the packaged app's folder
  readonly workingFolder: string
  readonly env: NodeJS.ProcessEnv
  readonly ready: (process: 'generator' | 'trainer') => Promise<ComputeFacts>
}

type ComputeFacts = { readonly devices: readonly DeviceInfo[]; readonly llamaCppVersion: string }

const gigabyte = 1e9
const sufficientMemoryBytes = 2 * gigabyte
const sufficientDiskBytes = 2 * gigabyte

export async function examine({
  selkieVersion,
  root,
  workingFolder,
  env,
  ready,
}: DoctorOptions): Promise<DoctorReport> {
  const disk = await statfs(workingFolder)
  const freeBytes = disk.bavail * disk.bsize
  const trainer = await checkProcess('trainer', ready)
  const generator = await checkProcess('generator', ready)
  const facts = trainer.facts ?? generator.facts
  const devices = facts?.devices ?? []
  const electron = process.versions['electron'] ? process.execPath : findElectronBinary(root, env)
  return {
    versions: {
      selkie: selkieVersion,
      node: process.versions.node,
      llamaCpp: facts?.llamaCppVersion ?? null,
    },
    platform: { os: platform(), release: release(), architecture: arch() },
    cpu: { model: cpus()[0]?.model.trim() ?? 'unknown', cores: availableParallelism() },
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    disk: { path: workingFolder, totalBytes: disk.blocks * disk.bsize, freeBytes },
    backends: [...new Set(devices.map(({ name }) => name.replace(/\d+$/, '')))],
    devices,
    electron: { binary: electron ?? null },
    checks: [
      { name: 'node', status: 'ok', message: `Node ${process.versions.node}.` },
      trainer.check,
      generator.check,
      checkGpu(devices),
      checkRoom(
        'memory',
        'memory is free',
        freemem(),
        sufficientMemoryBytes,
        'Close other programs to train larger models.',
      ),
      checkRoom(
        'disk',
        `disk space is free at ${workingFolder}`,
        freeBytes,
        sufficientDiskBytes,
        'Free some space for models and adapters.',
      ),
      electron === undefined
        ? {
            name: 'electron',
            status: 'note',
            message: `The window needs the Electron binary; the commands do not. ${howToGetElectron}`,
          }
        : { name: 'electron', status: 'ok', message: `Electron is at ${electron}.` },
    ],
  }
}

type ProcessFindings = { readonly check: DoctorCheck; readonly facts?: ComputeFacts }

async function checkProcess(
  name: 'generator' | 'trainer',
  ready: DoctorOptions['ready'],
): Promise<ProcessFindings> {
  try {
    const facts = await ready(name)
    const message = `The ${name} starts (llama.cpp ${facts.llamaCppVersion}).`
    return { check: { name, status: 'ok', message }, facts }
  } catch (error) {
    const { code, message, data } = toWireError(error)
    const lastWords = data?.['stderr'] ? ` It said: ${data['stderr']}` : ''
    return { check: { name, status: 'missing', message: message + lastWords, code } }
  }
}

function checkGpu(devices: readonly DeviceInfo[]): DoctorCheck {
  const gpu = devices.find(({ kind }) => kind === 'gpu' || kind === 'integrated')
  if (gpu) return { name: 'gpu', status: 'ok', message: `${gpu.name}: ${gpu.description}.` }
  const remedy =
    'A graphics card is used once its driver is installed (NVIDIA: CUDA driver; others: Vulkan driver).'
  return {
    name: 'gpu',
    status: 'note',
    message: `No graphics device found; the CPU does the work. ${remedy}`,
  }
}

function checkRoom(
  name: 'memory' | 'disk',
  what: string,
  bytes: number,
  sufficient: number,
  remedy: string,
): DoctorCheck {
  const found = `${(bytes / gigabyte).toFixed(1)} GB of ${what}.`
  return bytes >= sufficient
    ? { name, status: 'ok', message: found }
    : { name, status: 'note', message: `${found} ${remedy}` }
}
