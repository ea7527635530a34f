/**
 * TensorFlow's C API (`tensorflow/c/c_api.h`), as much of it as graphs, sessions and tensors need, bound by
 * koffi. Pointers are opaque here: nobody but this library looks behind them.
 */
import koffi, { type LibraryHandle } from "koffi"
import { counted, Handles } from "./handles.ts"

/** An address inside TensorFlow's memory. */
export type Pointer = bigint

/** One output of an operation: `TF_Output`. */
export interface Output {
  readonly oper: Pointer
  readonly index: number
}

/** `TF_DataType`, the members we use. */
export const DataType = {
  float32: 1,
  int32: 3,
  bool: 10,
  bfloat16: 14,
  float16: 19
} as const
export type DataType = (typeof DataType)[keyof typeof DataType]

const declarations = {
  TF_Version: "const char* TF_Version()",
  TF_NewStatus: "void* TF_NewStatus()",
  TF_DeleteStatus: "void TF_DeleteStatus(void*)",
  TF_GetCode: "int TF_GetCode(void*)",
  TF_Message: "const char* TF_Message(void*)",
  TF_NewGraph: "void* TF_NewGraph()",
  TF_DeleteGraph: "void TF_DeleteGraph(void*)",
  TF_NewSessionOptions: "void* TF_NewSessionOptions()",
  TF_DeleteSessionOptions: "void TF_DeleteSessionOptions(void*)",
  TF_SetConfig: "void TF_SetConfig(void*, void*, size_t, void*)",
  TF_NewSession: "void* TF_NewSession(void*, void*, void*)",
  TF_CloseSession: "void TF_CloseSession(void*, void*)",
  TF_DeleteSession: "void TF_DeleteSession(void*, void*)",
  TF_SessionListDevices: "void* TF_SessionListDevices(void*, void*)",
  TF_DeviceListCount: "int TF_DeviceListCount(void*)",
  TF_DeviceListName: "const char* TF_DeviceListName(void*, int, void*)",
  TF_DeviceListType: "const char* TF_DeviceListType(void*, int, void*)",
  TF_DeleteDeviceList: "void TF_DeleteDeviceList(void*)",
  TF_NewOperation: "void* TF_NewOperation(void*, const char*, const char*)",
  TF_AddInput: "void TF_AddInput(void*, TF_Output)",
  TF_AddInputList: "void TF_AddInputList(void*, TF_Output*, int)",
  TF_AddControlInput: "void TF_AddControlInput(void*, void*)",
  TF_SetAttrType: "void TF_SetAttrType(void*, const char*, int)",
  TF_SetAttrInt: "void TF_SetAttrInt(void*, const char*, int64_t)",
  TF_SetAttrIntList: "void TF_SetAttrIntList(void*, const char*, int64_t*, int)",
  TF_SetAttrFloat: "void TF_SetAttrFloat(void*, const char*, float)",
  TF_SetAttrBool: "void TF_SetAttrBool(void*, const char*, unsigned char)",
  TF_SetAttrString: "void TF_SetAttrString(void*, const char*, const char*, size_t)",
  TF_SetAttrShape: "void TF_SetAttrShape(void*, const char*, int64_t*, int)",
  TF_SetAttrTensor: "void TF_SetAttrTensor(void*, const char*, void*, void*)",
  TF_FinishOperation: "void* TF_FinishOperation(void*, void*)",
  TF_GraphGetTensorNumDims: "int TF_GraphGetTensorNumDims(void*, TF_Output, void*)",
  TF_GraphGetTensorShape: "void TF_GraphGetTensorShape(void*, TF_Output, _Out_ int64_t*, int, void*)",
  TF_GraphSetTensorShape: "void TF_GraphSetTensorShape(void*, TF_Output, int64_t*, int, void*)",
  TF_GraphOperationByName: "void* TF_GraphOperationByName(void*, const char*)",
  TF_OperationOutputType: "int TF_OperationOutputType(TF_Output)",
  TF_OperationNumInputs: "int TF_OperationNumInputs(void*)",
  // Takes a `TF_Input`, which has the same two members.
  TF_OperationInput: "TF_Output TF_OperationInput(TF_Output)",
  TF_NewBuffer: "void* TF_NewBuffer()",
  TF_NewBufferFromString: "void* TF_NewBufferFromString(void*, size_t)",
  TF_DeleteBuffer: "void TF_DeleteBuffer(void*)",
  TF_AllocateTensor: "void* TF_AllocateTensor(int, int64_t*, int, size_t)",
  TF_TensorData: "void* TF_TensorData(void*)",
  TF_TensorByteSize: "size_t TF_TensorByteSize(void*)",
  TF_DeleteTensor: "void TF_DeleteTensor(void*)",
  TF_SessionRun:
    "void TF_SessionRun(void*, void*, TF_Output*, void**, int, TF_Output*, _Out_ void**, int, " +
    "void**, int, void*, void*)"
} as const

type FunctionName = keyof typeof declarations

type Callable = ReturnType<LibraryHandle["func"]>

/**
 * TensorFlow as a library in this process. A failed call throws `TensorFlowFailure` with TensorFlow's own
 * words.
 */
export class TensorFlow {
  readonly directory: string
  readonly call: { readonly [K in FunctionName]: Callable }
  readonly handles: Handles

  private constructor(directory: string, call: { readonly [K in FunctionName]: Callable }, handles: Handles) {
    this.directory = directory
    this.call = call
    this.handles = handles
  }

  private static readonly loaded = new Map<string, TensorFlow>()

  /**
   * Loads the pair of shared objects once a process. Throws what the dynamic linker says. `cudaCache` is
   * where CUDA keeps what it compiles for a GPU that the library brings no code for, which takes minutes.
   */
  static load(
    files: { readonly directory: string; readonly api: string; readonly framework: string },
    cudaCache?: string
  ): TensorFlow {
    const known = TensorFlow.loaded.get(files.directory)
    if (known !== undefined) return known
    setEnvironment({ TF_CPP_MIN_LOG_LEVEL: "2", ...(cudaCache === undefined ? {} : cudaSettings(cudaCache)) })
    openForGood([files.framework, files.api])
    declareOutput()
    const framework = koffi.load(files.framework, { global: true })
    const api = koffi.load(files.api, { global: true })
    const handles = new Handles()
    const entries = Object.entries(declarations).map(([name, declaration]) => [
      name,
      counted(name, bind(declaration, api, framework), handles)
    ])
    const library = new TensorFlow(files.directory, Object.fromEntries(entries), handles)
    TensorFlow.loaded.set(files.directory, library)
    return library
  }

  get version(): string {
    return this.call.TF_Version() as string
  }

  /** Runs one call that reports through a `TF_Status`, and throws if it reports failure. */
  checked<A>(use: (status: Pointer) => A): A {
    const status = this.call.TF_NewStatus()
    try {
      const result = use(status)
      this.check(status)
      return result
    } finally {
      this.call.TF_DeleteStatus(status)
    }
  }

  check(status: Pointer): void {
    if (this.call.TF_GetCode(status) !== 0)
      throw new TensorFlowFailure(this.call.TF_Message(status) as string)
  }
}

/** TensorFlow refused a call; the message is its own. */
export class TensorFlowFailure extends Error {
  override readonly name = "TensorFlowFailure"
}

const bind = (declaration: string, api: LibraryHandle, framework: LibraryHandle): Callable => {
  try {
    return api.func(declaration)
  } catch {
    // Which of the two objects exports a symbol differs between TensorFlow's releases.
    return framework.func(declaration)
  }
}

let outputDeclared = false
const declareOutput = (): void => {
  if (outputDeclared) return
  koffi.struct("TF_Output", { oper: "void*", index: "int" })
  outputDeclared = true
}

/** All that TensorFlow has compiled takes more than the 1 GiB that CUDA grants by itself. */
const cudaSettings = (folder: string) => ({
  CUDA_CACHE_PATH: folder,
  CUDA_CACHE_MAXSIZE: String(4 * 2 ** 30 - 1)
})

/** In the C environment, before TensorFlow reads it; a value the user set stays (last argument). */
const setEnvironment = (variables: { readonly [name: string]: string }): void => {
  const set = koffi.load(null).func("int setenv(const char*, const char*, int)")
  for (const [name, value] of Object.entries(variables)) set(name, value, 0)
}

/**
 * Loads both objects so that they stay until the process ends, and without TensorFlow's banners.
 *
 * koffi unloads libraries at exit while TensorFlow's threads still run in them, which ends the process with a
 * segmentation fault: `RTLD_NODELETE` forbids it. The banner about oneDNN is written by a static initialiser
 * that knows no log level, so stderr points elsewhere meanwhile; errors of the linker come back as values all
 * the same.
 */
export const openForGood = (files: ReadonlyArray<string>): void => {
  const libc = koffi.load(null)
  const dlopen = libc.func("void* dlopen(const char*, int)")
  const duplicate = libc.func("int dup(int)")
  const redirect = libc.func("int dup2(int, int)")
  const close = libc.func("int close(int)")
  const stderr = duplicate(2)
  const nowhere = libc.func("int open(const char*, int)")("/dev/null", WRITE_ONLY)
  redirect(nowhere, 2)
  for (const file of files) dlopen(file, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE)
  redirect(stderr, 2)
  close(stderr)
  close(nowhere)
}

const WRITE_ONLY = 1
const RTLD_NOW = 0x2
const RTLD_GLOBAL = 0x100
const RTLD_NODELETE = 0x1000
