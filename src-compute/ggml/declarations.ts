/**
 * koffi declarations of the parts of ggml, ggml-alloc and ggml-backend that Selkie uses, checked against the headers
 * of the version named in library.ts. Pointers are opaque `bigint`s and stay inside this folder.
 */
import koffi from 'koffi'
import type { NativeLibraries } from './library.ts'

export type Pointer = bigint
/** A function from the declaration it was made of; koffi converts numbers, pointers, strings and typed arrays. */
type Native<Result> = (...values: NativeValue[]) => Result
export type NativeValue = number | bigint | string | boolean | null | ArrayBufferView | object

const pointer = 'void *'
const tensorOf = (count: number): string => Array(count).fill(pointer).join(', ')

koffi.struct('ggml_backend_dev_caps', {
  async: 'bool',
  host_buffer: 'bool',
  buffer_from_host_ptr: 'bool',
  events: 'bool',
  mmap_support: 'bool',
})
koffi.struct('ggml_backend_dev_props', {
  name: 'const char *',
  description: 'const char *',
  memory_free: 'size_t',
  memory_total: 'size_t',
  type: 'int',
  device_id: 'const char *',
  caps: 'ggml_backend_dev_caps',
})
export type DeviceProperties = { readonly caps?: { readonly buffer_from_host_ptr: boolean } }

koffi.struct('ggml_init_params', { mem_size: 'size_t', mem_buffer: pointer, no_alloc: 'bool' })

export type Declarations = ReturnType<typeof declare>

/** Binds every function once. The tensor operations keep ggml's names without the prefix. */
export function declare(libraries: NativeLibraries) {
  const base = <Result>(signature: string): Native<Result> => libraries.base.func(signature) as Native<Result>
  const registry = <Result>(signature: string): Native<Result> =>
    libraries.ggml.func(signature) as Native<Result>
  /** An operation `ggml_tensor * ggml_NAME(ctx, tensor × count, …extra)`. */
  const operation = (name: string, tensors: number, ...extra: string[]): Native<Pointer> =>
    base(`void *ggml_${name}(${[pointer, tensorOf(tensors), ...extra].filter(Boolean).join(', ')})`)
  const rope = ['int', 'int', 'int', 'float', 'float', 'float', 'float', 'float', 'float']

  return {
    // contexts and tensors
    init: base<Pointer>('void *ggml_init(ggml_init_params params)'),
    free: base<void>('void ggml_free(void *ctx)'),
    tensorOverhead: base<number>('size_t ggml_tensor_overhead()'),
    graphOverhead: base<number>('size_t ggml_graph_overhead_custom(size_t size, bool grads)'),
    newTensor: base<Pointer>(
      'void *ggml_new_tensor_4d(void *ctx, int type, int64_t, int64_t, int64_t, int64_t)',
    ),
    setOutput: base<void>('void ggml_set_output(void *tensor)'),
    nbytes: base<number>('size_t ggml_nbytes(const void *tensor)'),
    operationName: base<string>('const char *ggml_op_desc(const void *tensor)'),

    // graphs
    newGraph: base<Pointer>('void *ggml_new_graph_custom(void *ctx, size_t size, bool grads)'),
    expand: base<void>('void ggml_build_forward_expand(void *graph, void *tensor)'),
    graphNodeCount: base<number>('int ggml_graph_n_nodes(void *graph)'),
    graphNode: base<Pointer>('void *ggml_graph_node(void *graph, int index)'),
    graphAddNode: base<void>('void ggml_graph_add_node(void *graph, void *tensor)'),

    // allocation
    newAllocator: base<Pointer>('void *ggml_gallocr_new(void *bufferType)'),
    freeAllocator: base<void>('void ggml_gallocr_free(void *allocator)'),
    measure: base<void>(
      'void ggml_gallocr_reserve_n_size(void *allocator, void *graph, const int *, const int *, _Out_ size_t *sizes)',
    ),
    allocateGraph: base<boolean>('bool ggml_gallocr_alloc_graph(void *allocator, void *graph)'),
    allocatedBytes: base<number>('size_t ggml_gallocr_get_buffer_size(void *allocator, int buffer)'),

    // buffers
    allocateBuffer: base<Pointer | null>('void *ggml_backend_alloc_buffer(void *backend, size_t size)'),
    freeBuffer: base<void>('void ggml_backend_buffer_free(void *buffer)'),
    bufferBase: base<Pointer>('void *ggml_backend_buffer_get_base(void *buffer)'),
    bufferAlignment: base<number>('size_t ggml_backend_get_alignment(void *backend)'),
    clearBuffer: base<void>('void ggml_backend_buffer_clear(void *buffer, uint8_t value)'),
    placeTensor: base<number>('int ggml_backend_tensor_alloc(void *buffer, void *tensor, void *address)'),
    initView: base<number>('int ggml_backend_view_init(void *tensor)'),
    bufferFromHost: base<Pointer | null>(
      'void *ggml_backend_dev_buffer_from_host_ptr(void *device, void *data, size_t size, size_t maxTensorSize)',
    ),
    setTensor: base<void>(
      'void ggml_backend_tensor_set(void *tensor, const void *data, size_t offset, size_t size)',
    ),
    getTensor: base<void>(
      'void ggml_backend_tensor_get(const void *tensor, _Out_ void *data, size_t offset, size_t size)',
    ),
    fillTensor: base<void>(
      'void ggml_backend_tensor_memset(void *tensor, uint8_t value, size_t offset, size_t size)',
    ),

    // backends and devices
    deviceCount: registry<number>('size_t ggml_backend_dev_count()'),
    device: registry<Pointer>('void *ggml_backend_dev_get(size_t index)'),
    deviceName: base<string>('const char *ggml_backend_dev_name(void *device)'),
    deviceDescription: base<string>('const char *ggml_backend_dev_description(void *device)'),
    deviceType: base<number>('int ggml_backend_dev_type(void *device)'),
    deviceMemory: base<void>(
      'void ggml_backend_dev_memory(void *device, _Out_ size_t *free, _Out_ size_t *total)',
    ),
    deviceProperties: base<void>(
      'void ggml_backend_dev_get_props(void *device, _Out_ ggml_backend_dev_props *properties)',
    ),
    deviceRegistry: base<Pointer>('void *ggml_backend_dev_backend_reg(void *device)'),
    registryFunction: base<Pointer | null>(
      'void *ggml_backend_reg_get_proc_address(void *registry, const char *name)',
    ),
    initDevice: base<Pointer | null>('void *ggml_backend_dev_init(void *device, const char *params)'),
    freeBackend: base<void>('void ggml_backend_free(void *backend)'),
    bufferType: base<Pointer>('void *ggml_backend_get_default_buffer_type(void *backend)'),
    supports: base<boolean>('bool ggml_backend_supports_op(void *backend, const void *tensor)'),
    compute: base<number>('int ggml_backend_graph_compute(void *backend, void *graph)') as Native<number> & {
      async(...values: [...NativeValue[], (error: Error | null, status: number) => void]): void
    },

    // operations: (ctx, tensors…, parameters…)
    add: operation('add', 2),
    addInplace: operation('add_inplace', 2),
    sub: operation('sub', 2),
    mul: operation('mul', 2),
    mulInplace: operation('mul_inplace', 2),
    div: operation('div', 2),
    sqr: operation('sqr', 1),
    sqrt: operation('sqrt', 1),
    log: operation('log', 1),
    sumRows: operation('sum_rows', 1),
    scale: operation('scale', 1, 'float'),
    scaleBias: operation('scale_bias', 1, 'float', 'float'),
    clamp: operation('clamp', 1, 'float', 'float'),
    mulMat: operation('mul_mat', 2),
    outProd: operation('out_prod', 2),
    rmsNorm: operation('rms_norm', 1, 'float'),
    rmsNormBack: operation('rms_norm_back', 2, 'float'),
    softMax: operation('soft_max_ext', 2, 'float', 'float'),
    softMaxInplace: operation('soft_max_inplace', 1),
    softMaxBack: operation('soft_max_ext_back', 2, 'float', 'float'),
    sigmoid: operation('sigmoid', 1),
    silu: operation('silu', 1),
    siluBack: operation('silu_back', 2),
    swiglu: operation('swiglu_split', 2),
    rope: operation('rope_ext', 3, ...rope),
    ropeBack: operation('rope_ext_back', 3, ...rope),
    getRows: operation('get_rows', 2),
    getRowsBack: operation('get_rows_back', 3),
    setRows: operation('set_rows', 3),
    concat: operation('concat', 2, 'int'),
    copy: operation('cpy', 2),
    cont: operation('cont', 1),
    transpose: operation('transpose', 1),
    permute: operation('permute', 1, 'int', 'int', 'int', 'int'),
    reshape: operation('reshape_4d', 1, 'int64_t', 'int64_t', 'int64_t', 'int64_t'),
    view: operation(
      'view_4d',
      1,
      'int64_t',
      'int64_t',
      'int64_t',
      'int64_t',
      'size_t',
      'size_t',
      'size_t',
      'size_t',
    ),
    adamwStep: operation('opt_step_adamw', 5),
  }
}
