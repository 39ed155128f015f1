/**
 * Finds and loads the prebuilt llama.cpp that node-llama-cpp ships for this platform: libggml-base, libggml and
 * libllama with their backends. Refuses a version for which the declarations beside this file were not written.
 */
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import koffi from 'koffi'
import { AppError } from '../../src-shared/errors.ts'
import { ComputeClock } from './compute-clock.ts'

// Graphs run on a thread of libuv's pool, on a stack of koffi's: deep enough for building the graphs of big models.
// koffi takes settings only before the first library is loaded, so this is done on import.
koffi.config({ async_stack_size: 4 * 1024 * 1024 })

/** The struct layouts and enum values in this folder were checked against the headers of this llama.cpp. */
export const llamaCppVersion = '0.4.0'

export type BackendName = 'cpu' | 'cuda' | 'vulkan' | 'metal'
export type Library = ReturnType<typeof koffi.load>
export type NativeLibraries = {
  readonly directory: string
  readonly backend: BackendName
  readonly base: Library // tensors, graphs, allocation, gguf
  readonly ggml: Library // backend registry
  readonly llama: Library
  readonly clock: ComputeClock // of everything that is computed with them
}

type Package = { readonly name: string; readonly backend: BackendName }

/** The binary packages of this platform, the fastest backend first. Each of them can also compute on the CPU. */
function packagesOf(platform: NodeJS.Platform, arch: string): Package[] {
  const cpu = (name: string): Package => ({ name, backend: 'cpu' })
  switch (`${platform}-${arch}`) {
    case 'linux-x64':
      return [
        { name: 'linux-x64-cuda', backend: 'cuda' },
        { name: 'linux-x64-vulkan', backend: 'vulkan' },
        cpu('linux-x64'),
      ]
    case 'linux-arm64':
      return [cpu('linux-arm64')]
    case 'linux-arm':
      return [cpu('linux-armv7l')]
    case 'win32-x64':
      return [
        { name: 'win-x64-cuda', backend: 'cuda' },
        { name: 'win-x64-vulkan', backend: 'vulkan' },
        cpu('win-x64'),
      ]
    case 'win32-arm64':
      return [cpu('win-arm64')]
    case 'darwin-arm64':
      return [{ name: 'mac-arm64-metal', backend: 'metal' }]
    case 'darwin-x64':
      return [cpu('mac-x64')]
    default:
      throw new AppError(
        'unsupported',
        `There is no prebuilt llama.cpp for ${platform}-${arch}. Use Linux, macOS or Windows on x64 or arm64.`,
      )
  }
}

const driverLibraries: Readonly<Record<BackendName, readonly string[]>> = {
  cpu: [],
  metal: [],
  cuda: ['libcuda.so.1', 'nvcuda.dll'],
  vulkan: ['libvulkan.so.1', 'vulkan-1.dll'],
}

/** Whether the driver that a backend needs can be loaded; a backend without one is of no use, its package is large. */
function hasDriver(backend: BackendName): boolean {
  const names = driverLibraries[backend].filter(
    (name) => name.endsWith('.dll') === (process.platform === 'win32'),
  )
  return names.every((name) => {
    try {
      koffi.load(name).unload()
      return true
    } catch {
      return false // absent driver is an answer here, not an error
    }
  })
}

function binariesOf(packageName: string): string | undefined {
  const require = createRequire(import.meta.url)
  try {
    const entry = require.resolve(`@node-llama-cpp/${packageName}`)
    const directory = join(dirname(entry), '..', 'bins', packageName)
    return existsSync(directory) ? directory : undefined
  } catch {
    return undefined // the optional package of this backend is not installed
  }
}

function fileIn(directory: string, name: 'ggml-base' | 'ggml' | 'llama'): string {
  const pattern = new RegExp(
    `^(lib)?${name}(\\.[a-z]+)?(\\.v(?<version>\\d+\\.\\d+\\.\\d+))?\\.(so|dylib|dll)$`,
  )
  for (const file of readdirSync(directory).sort()) {
    const match = pattern.exec(file)
    if (!match) continue
    const version = match.groups?.['version']
    if (version !== undefined && version !== llamaCppVersion) {
      throw new AppError(
        'unsupported',
        `The installed llama.cpp is version ${version}, but Selkie's declarations were written for ${llamaCppVersion}. Run "npm ci" to install the pinned version.`,
        { found: version, expected: llamaCppVersion },
      )
    }
    return join(directory, file)
  }
  throw new AppError('not_found', `No ${name} library in ${directory}. Run "npm ci" again.`)
}

/**
 * Loads the libraries of the requested backend, or of the fastest one whose driver is present.
 * Throws `unsupported` (platform or version), `not_found` (packages missing).
 */
export function loadNativeLibraries(requested?: BackendName): NativeLibraries {
  const packages = packagesOf(process.platform, process.arch)
  const wanted = packages.filter(({ backend }) =>
    requested === undefined ? hasDriver(backend) : backend === requested,
  )
  for (const { name, backend } of wanted) {
    const directory = binariesOf(name)
    if (directory === undefined) continue
    const options = { global: true }
    const base = koffi.load(fileIn(directory, 'ggml-base'), options)
    const ggml = koffi.load(fileIn(directory, 'ggml'), options)
    const llama = koffi.load(fileIn(directory, 'llama'), options)
    ggml.func('void ggml_backend_load_all_from_path(const char *directory)')(directory)
    return { directory, backend, base, ggml, llama, clock: new ComputeClock() }
  }
  throw new AppError(
    'not_found',
    requested === undefined
      ? 'The prebuilt llama.cpp is not installed. Run "npm ci" (with optional dependencies).'
      : `The ${requested} backend is not available on this machine. Available: ${packages.map((p) => p.backend).join(', ')}.`,
  )
}
