/**
 * koffi declarations of the part of libllama that Selkie uses, checked field by field against llama.h of the version
 * named in library.ts. Structs are filled from llama.cpp's own defaults, so that only what differs is written here.
 */
import koffi from 'koffi'
import type { Pointer } from './declarations.ts'
import type { NativeLibraries } from './library.ts'

const pointer = 'void *'

koffi.struct('llama_model_params', {
  devices: pointer,
  tensor_buft_overrides: pointer,
  n_gpu_layers: 'int32_t',
  split_mode: 'int',
  load_mode: 'int',
  lazy_mode: 'int',
  main_gpu: 'int32_t',
  tensor_split: pointer,
  progress_callback: pointer,
  progress_callback_user_data: pointer,
  kv_overrides: pointer,
  vocab_only: 'bool',
  check_tensors: 'bool',
  use_extra_bufts: 'bool',
  no_host: 'bool',
  no_alloc: 'bool',
  load_mtp: 'bool',
})
export type ModelParams = {
  devices: BigUint64Array | null // ended by 0
  n_gpu_layers: number
  load_mode: number
  vocab_only: boolean
}

koffi.struct('llama_context_params', {
  n_ctx: 'uint32_t',
  n_batch: 'uint32_t',
  n_ubatch: 'uint32_t',
  n_seq_max: 'uint32_t',
  n_rs_seq: 'uint32_t',
  n_outputs_max: 'uint32_t',
  n_outputs_max_per_seq: 'uint32_t',
  n_threads: 'int32_t',
  n_threads_batch: 'int32_t',
  ctx_type: 'int',
  rope_scaling_type: 'int',
  pooling_type: 'int',
  attention_type: 'int',
  flash_attn_type: 'int',
  rope_freq_base: 'float',
  rope_freq_scale: 'float',
  yarn_ext_factor: 'float',
  yarn_attn_factor: 'float',
  yarn_beta_fast: 'float',
  yarn_beta_slow: 'float',
  yarn_orig_ctx: 'uint32_t',
  defrag_thold: 'float',
  cb_eval: pointer,
  cb_eval_user_data: pointer,
  type_k: 'int',
  type_v: 'int',
  abort_callback: pointer,
  abort_callback_data: pointer,
  embeddings: 'bool',
  offload_kqv: 'bool',
  no_perf: 'bool',
  op_offload: 'bool',
  swa_full: 'bool',
  kv_unified: 'bool',
  samplers: pointer,
  n_samplers: 'size_t',
  ctx_other: pointer,
})
export type ContextParams = {
  n_ctx: number
  n_batch: number
  n_ubatch: number
  n_seq_max: number
  n_outputs_max: number
  n_threads: number
  n_threads_batch: number
  pooling_type: number // 1: the mean over a sequence's tokens
  embeddings: boolean
  no_perf: boolean
  kv_unified: boolean
}

koffi.struct('llama_model_quantize_params', {
  nthread: 'int32_t',
  ftype: 'int',
  output_tensor_type: 'int',
  token_embedding_type: 'int',
  allow_requantize: 'bool',
  quantize_output_tensor: 'bool',
  only_copy: 'bool',
  pure: 'bool',
  keep_split: 'bool',
  dry_run: 'bool',
  imatrix: pointer,
  kv_overrides: pointer,
  tt_overrides: pointer,
  prune_layers: pointer,
  max_buf_size: 'size_t',
})
export type QuantizeParams = {
  nthread: number
  ftype: number
  allow_requantize: boolean
  max_buf_size: number
}

koffi.struct('llama_chat_message', { role: 'const char *', content: 'const char *' })
export type ChatMessage = { readonly role: string; readonly content: string }

koffi.struct('llama_batch', {
  n_tokens: 'int32_t',
  token: pointer,
  embd: pointer,
  pos: pointer,
  n_seq_id: pointer,
  seq_id: pointer,
  logits: pointer,
})
export type NativeBatch = {
  readonly n_tokens: number
  readonly token: Int32Array
  readonly embd: null
  readonly pos: Int32Array
  readonly n_seq_id: Int32Array
  readonly seq_id: BigUint64Array
  readonly logits: Int8Array
}

koffi.struct('llama_token_data_array', {
  data: pointer,
  size: 'size_t',
  selected: 'int64_t',
  sorted: 'bool',
})
/** `data`: for each candidate its token (int32), its logit (float32) and a probability (float32) that is not used. */
export type TokenDataArray = {
  readonly data: Int32Array
  readonly size: number
  readonly selected: -1
  readonly sorted: false
}

type Async<Values extends readonly unknown[], Result> = {
  (...values: Values): Result
  async(...values: [...Values, (error: Error | null, result: Result) => void]): void
}

export type LlamaFunctions = ReturnType<typeof declareLlama>

/** Binds every function once, and silences the log. */
export function declareLlama({ llama, ggml }: NativeLibraries) {
  const bind = <Values extends readonly unknown[], Result>(signature: string): Async<Values, Result> =>
    // Sound as far as the signature says the same as the type arguments beside it.
    llama.func(signature) as Async<Values, Result>
  type Of = [of: Pointer]
  const setLog = bind<[Pointer | null, null], void>('void llama_log_set(void *callback, void *data)')
  // A native function without effect serves as the callback: one of ours would be called from foreign threads.
  const silence = llama.symbol('llama_max_devices') as Pointer
  setLog(silence, null)

  return {
    /** Runs `action` with llama.cpp's messages on stderr, where the host keeps the tail of what a child says. */
    async withLog<Result>(action: () => Promise<Result>): Promise<Result> {
      setLog(null, null)
      try {
        return await action()
      } finally {
        setLog(silence, null)
      }
    },

    deviceByName: ggml.func('void *ggml_backend_dev_by_name(const char *name)') as (
      name: string,
    ) => Pointer | null,

    modelDefaults: bind<[], ModelParams>('llama_model_params llama_model_default_params()'),
    loadModel: bind<[path: string, params: ModelParams], Pointer | null>(
      'void *llama_model_load_from_file(const char *path, llama_model_params params)',
    ),
    freeModel: bind<Of, void>('void llama_model_free(void *model)'),
    trainedContextSize: bind<Of, number>('int32_t llama_model_n_ctx_train(void *model)'),
    layers: bind<Of, number>('int32_t llama_model_n_layer(void *model)'),
    embeddingWidth: bind<Of, number>('int32_t llama_model_n_embd(void *model)'),
    heads: bind<Of, number>('int32_t llama_model_n_head(void *model)'),
    keyValueHeads: bind<Of, number>('int32_t llama_model_n_head_kv(void *model)'),
    hasEncoder: bind<Of, boolean>('bool llama_model_has_encoder(void *model)'),
    hasDecoder: bind<Of, boolean>('bool llama_model_has_decoder(void *model)'),
    isRecurrent: bind<Of, boolean>('bool llama_model_is_recurrent(void *model)'),
    isHybrid: bind<Of, boolean>('bool llama_model_is_hybrid(void *model)'),
    isDiffusion: bind<Of, boolean>('bool llama_model_is_diffusion(void *model)'),

    quantizeDefaults: bind<[], QuantizeParams>(
      'llama_model_quantize_params llama_model_quantize_default_params()',
    ),
    quantize: bind<[from: string, to: string, params: QuantizeParams], number>(
      'uint32_t llama_model_quantize(const char *from, const char *to, const llama_model_quantize_params *params)',
    ),

    vocabulary: bind<Of, Pointer>('void *llama_model_get_vocab(void *model)'),
    vocabularyType: bind<Of, number>('int llama_vocab_type(void *vocab)'),
    vocabularySize: bind<Of, number>('int32_t llama_vocab_n_tokens(void *vocab)'),
    beginToken: bind<Of, number>('int32_t llama_vocab_bos(void *vocab)'),
    endToken: bind<Of, number>('int32_t llama_vocab_eos(void *vocab)'),
    addsBegin: bind<Of, boolean>('bool llama_vocab_get_add_bos(void *vocab)'),
    endsGeneration: bind<[vocabulary: Pointer, token: number], boolean>(
      'bool llama_vocab_is_eog(void *vocab, int32_t token)',
    ),
    tokenAttributes: bind<[vocabulary: Pointer, token: number], number>(
      'int llama_vocab_get_attr(void *vocab, int32_t token)',
    ),
    tokenize: bind<
      [Pointer, Uint8Array, number, Int32Array, number, addSpecial: boolean, parseSpecial: boolean],
      number
    >(
      'int32_t llama_tokenize(void *vocab, const void *text, int32_t length, void *tokens, int32_t max, bool addSpecial, bool parseSpecial)',
    ),
    tokenToPiece: bind<
      [Pointer, token: number, Uint8Array, length: number, lstrip: number, special: boolean],
      number
    >(
      'int32_t llama_token_to_piece(void *vocab, int32_t token, void *buffer, int32_t length, int32_t lstrip, bool special)',
    ),

    chatTemplate: bind<[model: Pointer, name: null], string | null>(
      'const char *llama_model_chat_template(void *model, const char *name)',
    ),
    applyChatTemplate: bind<
      [
        template: string,
        chat: readonly ChatMessage[],
        count: number,
        opensReply: boolean,
        Uint8Array,
        number,
      ],
      number
    >(
      'int32_t llama_chat_apply_template(const char *template, llama_chat_message *chat, size_t count, bool opensReply, void *buffer, int32_t length)',
    ),

    loadAdapter: bind<[model: Pointer, path: string], Pointer | null>(
      'void *llama_adapter_lora_init(void *model, const char *path)',
    ),
    freeAdapter: bind<Of, void>('void llama_adapter_lora_free(void *adapter)'),

    contextDefaults: bind<[], ContextParams>('llama_context_params llama_context_default_params()'),
    createContext: bind<[model: Pointer, params: ContextParams], Pointer | null>(
      'void *llama_init_from_model(void *model, llama_context_params params)',
    ),
    freeContext: bind<Of, void>('void llama_free(void *context)'),
    setThreads: bind<[context: Pointer, single: number, batch: number], void>(
      'void llama_set_n_threads(void *context, int32_t single, int32_t batch)',
    ),
    setAdapters: bind<[Pointer, BigUint64Array | null, number, Float32Array | null], number>(
      'int32_t llama_set_adapters_lora(void *context, void *adapters, size_t count, void *scales)',
    ),
    memory: bind<Of, Pointer>('void *llama_get_memory(void *context)'),
    clearMemory: bind<[memory: Pointer, data: boolean], void>(
      'void llama_memory_clear(void *memory, bool data)',
    ),
    removeRange: bind<[memory: Pointer, sequence: number, from: number, to: number], boolean>(
      'bool llama_memory_seq_rm(void *memory, int32_t sequence, int32_t from, int32_t to)',
    ),
    copyRange: bind<[memory: Pointer, source: number, target: number, from: number, to: number], void>(
      'void llama_memory_seq_cp(void *memory, int32_t source, int32_t target, int32_t from, int32_t to)',
    ),
    decode: bind<[context: Pointer, batch: NativeBatch], number>(
      'int32_t llama_decode(void *context, llama_batch batch)',
    ),
    synchronize: bind<Of, void>('void llama_synchronize(void *context)'),
    embedding: bind<[context: Pointer, sequence: number], Pointer | null>(
      'void *llama_get_embeddings_seq(void *context, int32_t sequence)',
    ),
    logits: bind<[context: Pointer, index: number], Pointer | null>(
      'void *llama_get_logits_ith(void *context, int32_t index)',
    ),

    createGrammar: bind<[vocabulary: Pointer, grammar: string, root: string], Pointer | null>(
      'void *llama_sampler_init_grammar(void *vocab, const char *grammar, const char *root)',
    ),
    copySampler: bind<Of, Pointer>('void *llama_sampler_clone(void *sampler)'),
    applySampler: bind<[sampler: Pointer, candidates: TokenDataArray], void>(
      'void llama_sampler_apply(void *sampler, llama_token_data_array *candidates)',
    ),
    acceptToken: bind<[sampler: Pointer, token: number], void>(
      'void llama_sampler_accept(void *sampler, int32_t token)',
    ),
    freeSampler: bind<Of, void>('void llama_sampler_free(void *sampler)'),
  }
}
