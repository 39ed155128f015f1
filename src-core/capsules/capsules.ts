/** Capsules as methods: pack a run into a file, check one, repeat it, and grade what came out. */
import { statSync, writeFileSync } from 'node:fs'
import type { CapsuleCheck, CapsuleVerdict } from '../../src-shared/api/capsules.ts'
import { AppError } from '../../src-shared/errors.ts'
import { recipeSchema } from '../../src-shared/recipe.ts'
import type { AnyTaskset } from '../../src-shared/task.ts'
import type { Runs } from '../runs/runs.ts'
import { checkCapsule, packCapsule, readCapsule, type Capsule } from './capsule-file.ts'
import { gradeReplay } from './grade-replay.ts'

export type Capsules = {
  /** Never overwrites. Throws as packCapsule, `conflict` if the file is there. */
  pack(runId: string, path: string): CapsuleCheck
  verify(path: string): CapsuleCheck
  /**
   * Starts the run again in this host's store. Throws `mismatch` for a capsule that is not whole or a model that is not
   * the run's, and what starting a run throws.
   */
  replay(path: string, model: string | undefined): Promise<{ readonly id: string }>
  grade(path: string, runId: string): CapsuleVerdict
}

export function createCapsules(runs: Runs): Capsules {
  return {
    pack: (runId, path) => {
      const bytes = runs.read((store) => packCapsule(store, runId))
      writeNew(path, bytes)
      return checkCapsule(readCapsule(path), path, bytes.length)
    },
    verify: (path) => verify(path),
    replay: async (path, model) => {
      const capsule = readCapsule(path)
      requireWhole(capsule, path)
      const recipe = recipeSchema.parse(capsule.run.config)
      const { kind, recipeToml, modelSha256 } = capsule.run
      const taskset = capsule.taskset as AnyTaskset // sound: the splits are of one kind
      return await runs.repeat({
        kind,
        recipeToml,
        recipe: model === undefined ? recipe : { ...recipe, model },
        taskset,
        modelSha256,
      })
    },
    grade: (path, runId) => runs.read((store) => gradeReplay(readCapsule(path), store, runId)),
  }
}

const verify = (path: string): CapsuleCheck => checkCapsule(readCapsule(path), path, statSync(path).size)

function requireWhole(capsule: Capsule, path: string): void {
  const { problems, kind } = checkCapsule(capsule, path, 0)
  if (problems.length > 0)
    throw new AppError('mismatch', `${path} is not as it was packed. ${problems.join(' ')}`, { path })
  if (kind === 'import')
    throw new AppError('unsupported', `${path} holds imported records: there is no recipe to run again.`, {
      path,
    })
}

function writeNew(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes, { flag: 'wx' })
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error
    throw new AppError('conflict', `${path} exists. Name a file that does not.`, { path }, { cause: error })
  }
}
