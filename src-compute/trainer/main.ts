/** The trainer process: announces the devices it found and serves the trainer's methods. */
import { listDevices } from '../ggml/backend.ts'
import { llamaCppVersion, loadNativeLibraries, type NativeLibraries } from '../ggml/library.ts'
import type { TrainerMethods } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { serveCompute } from '../serve.ts'
import { bench } from './bench.ts'
import { ModelShelf } from './loaded-model.ts'
import { merge } from './merge.ts'
import { score } from './score.ts'
import { pretrain, train } from './train.ts'

let shelf: ModelShelf | undefined
let libraries: NativeLibraries | undefined

function opened<Thing>(thing: Thing | undefined): Thing {
  if (thing === undefined) throw new AppError('internal', 'The trainer is not ready yet.')
  return thing
}

const models = (): ModelShelf => opened(shelf)

serveCompute<TrainerMethods>(
  {
    'trainer.train': (input, job) => train(models().get(input), input, job),
    'trainer.pretrain': (input, job) => pretrain(models().get(input), input, job),
    'trainer.score': (input, job) => score(models().get(input), input, job),
    'trainer.merge': (input, job) => merge(opened(libraries), input, job),
    'trainer.bench': (input, job) => bench(models().get(input), input, job.signal),
    'trainer.computeSeconds': async () => models().computeSeconds,
    'trainer.unload': async () => {
      models().clear()
      return null
    },
  },
  () => {
    libraries = loadNativeLibraries()
    shelf = new ModelShelf(libraries)
    return { devices: listDevices(libraries), llamaCppVersion }
  },
)
