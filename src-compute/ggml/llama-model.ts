/** A model as llama.cpp has loaded it, with its vocabulary, and the LoRA adapters loaded for it. */
import type { ComputeClock } from './compute-clock.ts'
import type { Pointer } from './declarations.ts'
import type { LlamaFunctions, ModelParams } from './llama-declarations.ts'
import type { Llama } from './llama.ts'
import { readGgufFile } from '../gguf-file.ts'
import type { DeviceInfo } from '../../src-shared/compute-protocol.ts'
import { AppError } from '../../src-shared/errors.ts'
import { checkAdapterFits } from '../../src-shared/gguf/adapter-check.ts'
import { findNumber, findString, getString } from '../../src-shared/gguf/metadata.ts'
import { naming } from '../../src-shared/gguf/open-gguf.ts'
import type { GgufFile } from '../../src-shared/gguf/types.ts'

export type LoadOptions = {
  readonly device: DeviceInfo
  /** Only the tokenizer, no weights: cheap, for any architecture. */
  readonly vocabularyOnly?: boolean
}

const noVocabulary = 0
/** LLAMA_TOKEN_ATTR_UNKNOWN and LLAMA_TOKEN_ATTR_CONTROL: tokens that stand for no text. */
const textlessAttributes = (1 << 0) | (1 << 3)

export class LlamaModel {
  /** @internal */ readonly functions: LlamaFunctions
  /** @internal */ readonly pointer: Pointer
  /** @internal */ readonly clock: ComputeClock
  readonly path: string
  readonly file: GgufFile
  readonly device: DeviceInfo
  readonly vocabularySize: number
  /** Tokens the model was trained to attend to. */
  readonly contextSize: number
  readonly beginToken: number | undefined
  readonly endToken: number | undefined
  /** Whether texts start with the begin token. */
  readonly usesBegin: boolean
  /** @internal */ readonly vocabulary: Pointer
  readonly #pieces: (Uint8Array | undefined)[] = []
  #meaningfulTokens: Int32Array | undefined
  readonly #adapters = new Set<LlamaAdapter>()

  private constructor(llama: Llama, path: string, file: GgufFile, pointer: Pointer, device: DeviceInfo) {
    const { functions, clock } = llama
    const token = (id: number): number | undefined => (id < 0 ? undefined : id)
    this.functions = functions
    this.pointer = pointer
    this.clock = clock
    this.path = path
    this.file = file
    this.device = device
    this.vocabulary = functions.vocabulary(pointer)
    this.vocabularySize = functions.vocabularySize(this.vocabulary)
    this.contextSize = functions.trainedContextSize(pointer)
    this.beginToken = token(functions.beginToken(this.vocabulary))
    this.endToken = token(functions.endToken(this.vocabulary))
    this.usesBegin = this.beginToken !== undefined && functions.addsBegin(this.vocabulary)
  }

  /**
   * Checks the file, then has llama.cpp load it. Throws `corrupt_file`, `mismatch` (an adapter), `unsupported` (an
   * architecture llama.cpp does not know or that cannot share prompts), or what opening the file throws.
   */
  static async load(
    llama: Llama,
    path: string,
    { device, vocabularyOnly = false }: LoadOptions,
  ): Promise<LlamaModel> {
    const file = readGgufFile(path)
    naming(path, () => checkIsModel(file))
    const { functions } = llama
    const isCpu = device.kind === 'cpu'
    const params: ModelParams = {
      ...functions.modelDefaults(),
      devices: isCpu
        ? BigUint64Array.of(0n)
        : BigUint64Array.of(functions.deviceByName(device.name) ?? 0n, 0n),
      n_gpu_layers: isCpu ? 0 : -1,
      vocab_only: vocabularyOnly,
    }
    const pointer = await functions.withLog(
      async () =>
        await new Promise<Pointer | null>((resolve, reject) => {
          functions.loadModel.async(path, params, (error, loaded) =>
            error ? reject(error) : resolve(loaded),
          )
        }),
    )
    params.devices = null // used here, so that it is not collected while llama.cpp reads it on another thread
    if (!pointer) {
      const architecture = getString(file.metadata, 'general.architecture')
      throw new AppError(
        'unsupported',
        `${path}: llama.cpp cannot load this ${architecture} model: its architecture is unknown, tensors are missing, or memory is short. Choose another file, or free some memory.`,
        { path, architecture },
      )
    }
    const model = new LlamaModel(llama, path, file, pointer, device)
    try {
      model.#checkIsUsable(vocabularyOnly)
      return model
    } catch (error) {
      model.dispose()
      throw error
    }
  }

  #checkIsUsable(vocabularyOnly: boolean): void {
    const { functions, pointer, path } = this
    if (functions.vocabularyType(this.vocabulary) === noVocabulary) {
      throw new AppError(
        'unsupported',
        `${path}: the model has no tokenizer. Convert it again with its tokenizer.`,
        { path },
      )
    }
    if (vocabularyOnly) return
    const isPlainDecoder =
      functions.hasDecoder(pointer) &&
      !functions.hasEncoder(pointer) &&
      !functions.isRecurrent(pointer) &&
      !functions.isHybrid(pointer) &&
      !functions.isDiffusion(pointer)
    if (!isPlainDecoder) {
      throw new AppError(
        'unsupported',
        `${path}: only decoder models with plain attention can be used, not encoders, recurrent, hybrid or diffusion models. Choose a llama, qwen2 or qwen3 model.`,
        { path },
      )
    }
  }

  /** Numbers in a token's state. */
  get embeddingWidth(): number {
    return this.functions.embeddingWidth(this.pointer)
  }

  /** What one token of one sequence takes in the context, keys and values in half precision. An upper bound. */
  get contextBytesPerToken(): number {
    const { functions, pointer, file } = this
    const architecture = getString(file.metadata, 'general.architecture')
    const plainWidth = this.embeddingWidth / functions.heads(pointer)
    const width = (of: 'key' | 'value'): number =>
      findNumber(file.metadata, `${architecture}.attention.${of}_length`) ?? plainWidth
    return functions.layers(pointer) * functions.keyValueHeads(pointer) * (width('key') + width('value')) * 2
  }

  /** The tokens of a text, control tokens in it recognised, none added. */
  tokenize(text: string): Int32Array {
    const bytes = Buffer.from(text, 'utf8')
    if (bytes.length === 0) return new Int32Array(0)
    const tokenizeInto = (tokens: Int32Array): number =>
      this.functions.tokenize(this.vocabulary, bytes, bytes.length, tokens, tokens.length, false, true)
    let tokens = new Int32Array(bytes.length + 2)
    let count = tokenizeInto(tokens)
    if (count < 0) {
      tokens = new Int32Array(-count)
      count = tokenizeInto(tokens)
    }
    if (count < 0) throw new AppError('invalid_input', 'The text has too many tokens. Shorten it.')
    return tokens.slice(0, count)
  }

  /**
   * A user's message in the model's own chat format, with the reply begun. Throws `unsupported` for a model without
   * such a format, or with one that llama.cpp does not know; `invalid_input` for a message with a null character.
   */
  chatPrompt(message: string): string {
    const { functions, pointer, path } = this
    const refuse = (reason: string): AppError =>
      new AppError(
        'unsupported',
        `${path}: ${reason} Set prompt-style = "completion", or choose another model.`,
        { path },
      )
    const template = functions.chatTemplate(pointer, null)
    if (template === null) throw refuse('the model has no chat format.')
    if (message.includes('\0'))
      throw new AppError(
        'invalid_input',
        'A chat message cannot hold a null character. Remove it from the passage.',
      )
    const chat = [{ role: 'user', content: message }]
    const write = (buffer: Uint8Array): number =>
      functions.applyChatTemplate(template, chat, chat.length, true, buffer, buffer.length)
    const length = write(new Uint8Array(0))
    if (length < 0) throw refuse('llama.cpp does not know its chat format.')
    const bytes = new Uint8Array(length)
    write(bytes)
    return Buffer.from(bytes).toString('utf8')
  }

  /** The bytes a token stands for, none for control tokens; a character may need the bytes of several tokens. */
  pieceOf(token: number): Uint8Array {
    return (this.#pieces[token] ??= this.#readPiece(token, false))
  }

  /** The same, but the name of a control token. Throws `invalid_input` for what is no token. */
  nameOf(token: number): Uint8Array {
    if (token >= 0 && token < this.vocabularySize) return this.#readPiece(token, true)
    throw new AppError(
      'invalid_input',
      `${token} is not in the model's vocabulary of ${this.vocabularySize}. Use the model's own tokenizer.`,
      { token },
    )
  }

  #readPiece(token: number, namesControl: boolean): Uint8Array {
    const read = (buffer: Uint8Array): number =>
      this.functions.tokenToPiece(this.vocabulary, token, buffer, buffer.length, 0, namesControl)
    const short = new Uint8Array(64)
    const length = read(short)
    if (length >= 0) return short.slice(0, length)
    const long = new Uint8Array(-length)
    return long.slice(0, read(long))
  }

  endsGeneration(token: number): boolean {
    return this.functions.endsGeneration(this.vocabulary, token)
  }

  /** Whether a token stands for text or ends a generation: all but the other control tokens. */
  isMeaningful(token: number): boolean {
    const attributes = this.functions.tokenAttributes(this.vocabulary, token)
    return (attributes & textlessAttributes) === 0 || this.endsGeneration(token)
  }

  /** All such tokens, in ascending order. */
  get meaningfulTokens(): Int32Array {
    return (this.#meaningfulTokens ??= new Int32Array(this.vocabularySize)
      .map((_, token) => token)
      .filter((token) => this.isMeaningful(token)))
  }

  /** Throws `mismatch` or `corrupt_file` for an adapter that does not fit this model. */
  async loadAdapter(path: string): Promise<LlamaAdapter> {
    const file = readGgufFile(path)
    naming(path, () => checkAdapterFits(file, this.file))
    const { functions, pointer: model } = this
    const pointer = await functions.withLog(
      async () =>
        await new Promise<Pointer | null>((resolve, reject) => {
          functions.loadAdapter.async(model, path, (error, loaded) =>
            error ? reject(error) : resolve(loaded),
          )
        }),
    )
    if (!pointer) {
      throw new AppError(
        'corrupt_file',
        `${path}: llama.cpp refuses this adapter. Train or download it again.`,
        { path },
      )
    }
    const adapter = new LlamaAdapter(path, pointer, () => {
      if (this.#adapters.delete(adapter)) functions.freeAdapter(pointer)
    })
    this.#adapters.add(adapter)
    return adapter
  }

  /** Contexts of this model must be gone before. */
  dispose(): void {
    for (const adapter of [...this.#adapters]) adapter.dispose()
    this.functions.freeModel(this.pointer)
  }
}

/** No context may use it when it is disposed of. */
export class LlamaAdapter {
  readonly path: string
  /** @internal */ readonly pointer: Pointer
  readonly dispose: () => void

  constructor(path: string, pointer: Pointer, dispose: () => void) {
    this.path = path
    this.pointer = pointer
    this.dispose = dispose
  }
}

function checkIsModel({ metadata }: GgufFile): void {
  getString(metadata, 'general.architecture')
  const type = findString(metadata, 'general.type') ?? 'model'
  if (type === 'adapter') {
    throw new AppError('mismatch', 'This is an adapter, not a model. Choose the model it was trained on.')
  }
  if ((findNumber(metadata, 'split.count') ?? 1) > 1) {
    throw new AppError(
      'unsupported',
      'This is one part of a split model. Merge the parts with "llama-gguf-split --merge".',
    )
  }
}
