/**
 * Reads a folder of SEAL's published records, whole or in part. Each file becomes a run or is left out whole, with the
 * reason and the place; what lies beside it (how it was sampled, which self-edits were chosen) is looked up in the rest.
 */
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import * as z from 'zod'
import type { ImportProblem } from '../../src-shared/api/evidence.ts'
import type { Sampling } from '../../src-shared/compute-protocol.ts'
import { AppError, toWireError } from '../../src-shared/errors.ts'
import type { PassageTask } from '../../src-shared/task.ts'
import { readUtf8 } from '../tasksets/read-file.ts'
import { filesBelow, readArtefact, stemOf, type Artefact } from './artefacts.ts'
import { fingerprintOf, type ImportedRun } from './imported-run.ts'
import { readCompletions, readContinual, readCpt, readFewShot, readPassages } from './other-forms.ts'
import { readQueryServer, type Companions } from './query-server.ts'
import { readSelection, type Selection } from './selection-file.ts'

export type ReadFolder = {
  readonly runs: readonly ImportedRun[]
  readonly problems: readonly ImportProblem[] // files that should have been read and could not
  readonly notes: readonly ImportProblem[] // files that hold nothing of their own to import
}

/** `path`: a folder, or one file of it. Throws `not_found`, and `invalid_input` if there is nothing to read in it. */
export async function readSealFolder(path: string): Promise<ReadFolder> {
  const isFolder = (await stat(path)).isDirectory()
  const folder = isFolder ? path : dirname(path)
  const sources = isFolder ? await filesBelow(folder) : [basename(path)]
  const reading = new FolderReading(folder)
  for (const source of sources) await reading.take(source)
  const read = reading.end()
  if (read.runs.length + read.problems.length > 0) return read
  const message = `There are no records of SEAL in ${path}. Give the folder that holds results/ and data/, or a file of it.`
  throw new AppError('invalid_input', message, { path })
}

class FolderReading {
  readonly #folder: string
  readonly #artefacts: Artefact[] = []
  readonly #selections: Selection[] = []
  readonly #metas = new Map<string, string>() // text by source
  readonly #problems: ImportProblem[] = []
  readonly #notes: ImportProblem[] = []

  constructor(folder: string) {
    this.#folder = folder
  }

  async take(source: string): Promise<void> {
    await this.#guarded(source, async () => {
      const path = join(this.#folder, source)
      if (source.endsWith('.meta')) this.#metas.set(source, await readUtf8(path))
      else if (source.endsWith('.jsonl'))
        this.#selections.push(readSelection(await readUtf8(path), source, path))
      else if (source.endsWith('.json')) {
        const artefact = await readArtefact(this.#folder, source)
        if (artefact) this.#artefacts.push(artefact)
        else this.#note(source, 'is none of the forms that SEAL publishes.')
      }
    })
    await setImmediate() // others are answered meanwhile
  }

  end(): ReadFolder {
    const lists = this.#passageLists()
    const runs = this.#artefacts.flatMap((artefact) => {
      const run = this.#guardedSync(artefact.source, () => this.#read(artefact, lists))
      return run ? [run] : []
    })
    for (const { source, isUsed } of this.#selections)
      if (!isUsed()) this.#note(source, 'chooses self-edits that no ranking in this folder holds.')
    return { runs, problems: this.#problems, notes: this.#notes }
  }

  #read(artefact: Artefact, lists: PassageLists): ImportedRun | null {
    switch (artefact.form) {
      case 'query-server':
        return complete(readQueryServer(artefact, this.#companions()))
      case 'cpt':
        return complete(readCpt(artefact, lists))
      case 'continual':
        return complete(readContinual(artefact))
      case 'completions':
        return complete(readCompletions(artefact, this.#samplingOf(stemOf(artefact.source))))
      case 'few-shot':
        return complete(readFewShot(artefact))
      case 'passages':
        readPassages(artefact)
        this.#note(artefact.source, 'holds passages only: use it as the taskset of a recipe (format "seal").')
        return null
      case 'puzzles':
        this.#note(artefact.source, 'holds puzzles only, and nothing that was tried on them.')
        return null
    }
  }

  #companions(): Companions {
    return {
      samplingOf: (dataset) => this.#samplingOf(stemOf(dataset)),
      selectionOf: (prompt, completion) =>
        this.#selections.find((selection) => selection.has(prompt, completion))?.name ?? null,
    }
  }

  /** As the .meta file beside the self-edits says; null where there is none, or it does not say. */
  #samplingOf(stem: string): Sampling | null {
    for (const [source, text] of this.#metas) {
      if (stemOf(source) !== stem) continue
      try {
        const read = meta.safeParse(JSON.parse(text))
        if (!read.success) return null
        const { temperature, top_p: topP, max_tokens: maxTokens } = read.data
        return { temperature, topP, maxTokens, stop: [] }
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error
        this.#note(source, `is not JSON (${error.message}): how its self-edits were sampled stays unknown.`)
        return null
      }
    }
    return null
  }

  #passageLists(): PassageLists {
    return this.#artefacts.flatMap((artefact) => {
      if (artefact.form !== 'completions' && artefact.form !== 'passages') return []
      try {
        return [{ name: stemOf(artefact.source), tasks: readPassages(artefact) }]
      } catch (error) {
        if (error instanceof AppError) return [] // it is told when the file itself is read
        throw error
      }
    })
  }

  #note(source: string, message: string): void {
    if (!this.#notes.some((note) => note.source === source)) this.#notes.push({ source, message })
  }

  async #guarded(source: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#problem(source, error)
    }
  }

  #guardedSync<T>(source: string, work: () => T): T | null {
    try {
      return work()
    } catch (error) {
      this.#problem(source, error)
      return null
    }
  }

  #problem(source: string, error: unknown): void {
    const { message } = toWireError(error)
    this.#problems.push({
      source,
      message: message.includes(basename(source)) ? message : `${source}: ${message}`,
    })
  }
}

type PassageLists = readonly { readonly name: string; readonly tasks: readonly PassageTask[] }[]

const meta = z.object({
  temperature: z.number().min(0),
  top_p: z.number().gt(0).max(1),
  max_tokens: z.int().min(1),
})

export function complete(run: Omit<ImportedRun, 'fingerprint'>): ImportedRun {
  const { name, settings, taskset, rows } = run
  return {
    ...run,
    fingerprint: fingerprintOf(name, JSON.stringify(settings), taskset.sha256, JSON.stringify(rows)),
  }
}
