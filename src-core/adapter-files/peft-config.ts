/** `adapter_config.json` as PEFT writes it: what Selkie can use of one, and what it writes. Everything else is refused. */
import * as z from 'zod'
import { AppError } from '../../src-shared/errors.ts'

const amounts = z.record(z.string(), z.number().gt(0)).nullish()
const config = z.looseObject({
  peft_type: z.string(),
  r: z.int().min(1),
  lora_alpha: z.number(),
  use_rslora: z.boolean().nullish(),
  rank_pattern: amounts,
  alpha_pattern: amounts,
  use_dora: z.boolean().nullish(),
  bias: z.string().nullish(),
  lora_bias: z.boolean().nullish(),
  fan_in_fan_out: z.boolean().nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  trainable_token_indices: z.unknown().optional(),
  layer_replication: z.unknown().optional(),
  alora_invocation_tokens: z.unknown().optional(),
  init_lora_weights: z.unknown().optional(),
})
export type PeftConfig = z.infer<typeof config>

/** Throws `corrupt_file` for what is no such file, `unsupported` naming what llama.cpp has no counterpart for. */
export function parsePeftConfig(text: string): PeftConfig {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new AppError('corrupt_file', 'adapter_config.json is not JSON. Download the adapter again.')
  }
  const parsed = config.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = issue?.path.join('.') ?? ''
    throw new AppError(
      'corrupt_file',
      `adapter_config.json is not a LoRA configuration of PEFT: "${where}" ${issue?.message ?? 'is wrong'}. Download the adapter again.`,
      { field: where },
    )
  }
  const found = parsed.data
  const reason = obstacle(found)
  if (reason === undefined) return found
  throw new AppError(
    'unsupported',
    `This PEFT adapter ${reason}, which a GGUF adapter cannot hold. Choose a plain LoRA adapter, or merge it with PEFT first.`,
  )
}

function obstacle(found: PeftConfig): string | undefined {
  const isGiven = (value: unknown): boolean =>
    value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0)
  if (found.peft_type !== 'LORA') return `is of type ${found.peft_type.slice(0, 40)} instead of LORA`
  if (found.use_dora) return 'is a DoRA adapter (use_dora)'
  if ((found.bias ?? 'none') !== 'none' || found.lora_bias) return 'trains biases (bias, lora_bias)'
  if (found.fan_in_fan_out) return 'is for transposed weights (fan_in_fan_out)'
  if (isGiven(found.modules_to_save)) return 'holds whole modules (modules_to_save)'
  if (isGiven(found.trainable_token_indices)) return 'holds embeddings (trainable_token_indices)'
  if (isGiven(found.layer_replication)) return 'repeats layers (layer_replication)'
  if (isGiven(found.alora_invocation_tokens)) return 'is an activated LoRA (alora_invocation_tokens)'
  // These change the base weights when training starts, so that the adapter belongs to a base that is not there.
  const start = found.init_lora_weights
  if (typeof start === 'string' && /^(pissa|olora|corda|loftq|lora_ga)/.test(start))
    return `was started from a changed base model (init_lora_weights = "${start.slice(0, 20)}")`
  return undefined
}

/**
 * What B·A of a module is multiplied with: α/r, or α/√r with rsLoRA. `module` as in `model.layers.0.mlp.up_proj`; a
 * pattern's key is a regular expression for the end of that name in PEFT, and taken as plain text here.
 */
export function peftScaling(found: PeftConfig, module: string, rank: number): number {
  const alpha = patternFor(found.alpha_pattern, module) ?? found.lora_alpha
  return alpha / (found.use_rslora ? Math.sqrt(rank) : rank)
}

/** Throws `unsupported` for a key that is more than a name. */
function patternFor(pattern: PeftConfig['alpha_pattern'], module: string): number | undefined {
  for (const [key, value] of Object.entries(pattern ?? {})) {
    const name = key.replace(/^\^/, '').replace(/\\\./g, '.')
    if (!/^[\w.]+$/.test(name)) {
      const message = `adapter_config.json has the pattern ${JSON.stringify(key.slice(0, 80))}. Only names of modules can be used in alpha_pattern: export the adapter with names.`
      throw new AppError('unsupported', message)
    }
    if (module === name || module.endsWith(`.${name}`)) return value
  }
  return undefined
}

export type PeftFacts = {
  readonly baseModel: string
  readonly rank: number
  readonly alpha: number
  readonly ranks: Readonly<Record<string, number>> // of modules with another rank
  readonly targetModules: readonly string[]
}

/** The text of a configuration that PEFT loads. */
export function peftConfigText({ baseModel, rank, alpha, ranks, targetModules }: PeftFacts): string {
  const written = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseModel,
    revision: null,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    rank_pattern: ranks,
    alpha_pattern: {},
    target_modules: targetModules,
    modules_to_save: null,
    layers_to_transform: null,
    layers_pattern: null,
    lora_dropout: 0,
    use_rslora: false,
    use_dora: false,
    bias: 'none',
    fan_in_fan_out: false,
    init_lora_weights: true,
  }
  return `${JSON.stringify(written, null, 2)}\n`
}
