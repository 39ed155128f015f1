/** The generator's process: stock llama.cpp behind the methods of GeneratorMethods. */
import type { GeneratorMethods } from '../../src-shared/compute-protocol.ts'
import { llamaCppVersion, loadNativeLibraries } from '../ggml/library.ts'
import { openLlama, type Llama } from '../ggml/llama.ts'
import { serveCompute } from '../serve.ts'
import { decodeSpeed } from './decode-speed.ts'
import { embed } from './embed.ts'
import { generate } from './generate.ts'
import { promptSpeed } from './prompt-speed.ts'
import { quantize } from './quantize.ts'
import { score } from './score.ts'
import { Session } from './session.ts'
import { chatPrompts, tokenize, tokenTexts } from './tokenize.ts'

/** Opened by `ready`, which is over before the first request; if it throws, no request is ever answered. */
const opened = Promise.withResolvers<Session>()
const llama = Promise.withResolvers<Llama>()

serveCompute<GeneratorMethods>(
  {
    'generator.tokenize': async (input) => await tokenize(await opened.promise, input),
    'generator.chatPrompts': async (input) => await chatPrompts(await opened.promise, input),
    'generator.tokenTexts': async (input) => await tokenTexts(await opened.promise, input),
    'generator.generate': async (input, job) => await generate(await opened.promise, input, job),
    'generator.score': async (input, job) => await score(await opened.promise, input, job),
    'generator.embed': async (input, job) => await embed(await opened.promise, input, job),
    'generator.promptSpeed': async (input, { signal }) =>
      await promptSpeed(await opened.promise, input, signal),
    'generator.decodeSpeed': async (input, { signal }) =>
      await decodeSpeed(await opened.promise, input, signal),
    'generator.quantize': async (input) => await quantize(await llama.promise, input),
    'generator.computeSeconds': async () => (await opened.promise).computeSeconds,
    'generator.unload': async () => {
      const session = await opened.promise
      session.unload()
      return null
    },
  },
  () => {
    const library = openLlama(loadNativeLibraries())
    const session = new Session(library)
    llama.resolve(library)
    opened.resolve(session)
    return { devices: session.devices, llamaCppVersion }
  },
)
