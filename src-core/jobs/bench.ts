/** The bench job: training speed beside the speed at which llama.cpp reads a prompt, same model, threads and device. */
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import type { JobResults } from '../../src-shared/api/job.ts'
import type { JobSpecOf } from '../../src-shared/api/job-spec.ts'
import { AppError } from '../../src-shared/errors.ts'
import { modelFactsOf } from './model-facts.ts'
import type { JobContext } from './ports.ts'

export async function runBench(spec: JobSpecOf<'bench'>, context: JobContext): Promise<JobResults['bench']> {
  const { compute, signal, progress } = context
  const { type: _type, weightType, ...input } = spec
  const model = modelFactsOf(spec.modelPath, context.readGgufHeader(spec.modelPath))
  if (weightType !== undefined && weightType.toUpperCase() !== model.quantization) {
    const message = `The weights of ${spec.modelPath} are ${model.quantization}, not ${weightType}. Leave out --type or choose another model.`
    throw new AppError('invalid_input', message, { quantization: model.quantization ?? 'unknown' })
  }
  if (spec.sequenceTokens > model.contextSize) {
    const message = `Sequences of ${spec.sequenceTokens} tokens are longer than the model's context window of ${model.contextSize}. Choose a smaller --seq.`
    throw new AppError('invalid_input', message, { contextSize: model.contextSize })
  }
  const placement = {
    threads: spec.threads ?? availableParallelism(),
    ...(spec.device !== undefined && { device: spec.device }),
  }

  progress({ type: 'phase', phase: 'prompt-speed' })
  const { modelPath, sequenceTokens, seconds } = spec
  const prompt = await compute.request(
    'generator.promptSpeed',
    { modelPath, tokens: sequenceTokens, seconds, ...placement },
    { signal },
  )
  await compute.request('generator.unload', {}, { signal })

  progress({ type: 'phase', phase: 'training-speed' })
  const bench = await compute.request('trainer.bench', { ...input, ...placement }, { signal })
  return {
    model: basename(modelPath),
    device: bench.device,
    threads: bench.threads,
    trainTokensPerSecond: bench.trainTokensPerSecond,
    promptTokensPerSecond: prompt.tokensPerSecond,
    boundTokensPerSecond: bench.boundTokensPerSecond,
    ratio: bench.trainTokensPerSecond / prompt.tokensPerSecond,
    shareOfBound: bench.trainTokensPerSecond / bench.boundTokensPerSecond,
    peakMemoryBytes: bench.peakMemoryBytes,
    adapters: spec.adapters,
    gainOverSequential: bench.gainOverSequential,
    operations: bench.operations,
  }
}
