/** Runs a SavedModel by TensorFlow's own loader, `TF_LoadSessionFromSavedModel` of the C API. */
import koffi from "koffi"
import { type Output, type Pointer, TensorFlow } from "./capi.ts"
import { takeValues, tensorFrom } from "./tensors.ts"

export interface SavedModelRun {
  /** Of the library. */
  readonly version: string
  readonly logits: Float32Array
}

export interface SavedModelOptions {
  readonly library: { readonly directory: string; readonly api: string; readonly framework: string }
  /** Of the SavedModel. */
  readonly folder: string
  readonly shape: ReadonlyArray<number>
  /** Of the input `images`. */
  readonly values: Float32Array
}

/** Throws `TensorFlowFailure` with TensorFlow's own words where the model cannot be loaded or run. */
export const runSavedModel = ({
  folder,
  library: files,
  shape,
  values
}: SavedModelOptions): SavedModelRun => {
  const library = TensorFlow.load(files)
  const { call } = library
  const graph = call.TF_NewGraph() as Pointer
  const options = call.TF_NewSessionOptions() as Pointer
  const load = koffi
    .load(files.api)
    .func(
      "void* TF_LoadSessionFromSavedModel(void*, void*, const char*, const char**, int, void*, void*, void*)"
    )
  const session = library.checked((status) =>
    load(options, null, folder, ["serve"], 1, graph, null, status)
  ) as Pointer
  try {
    const output = (name: string): Output => ({
      oper: call.TF_GraphOperationByName(graph, name) as Pointer,
      index: 0
    })
    const input = tensorFrom(library, values, shape, "float32")
    const fetched: Array<Pointer | null> = [null]
    library.checked((status) =>
      call.TF_SessionRun(
        ...[session, null, [output("images")], [input], 1],
        ...[[output("logits")], fetched, 1, [], 0, null, status]
      )
    )
    library.handles.add("tensor", 1)
    call.TF_DeleteTensor(input)
    const logits = takeValues(library, fetched[0]!, "float32") as Float32Array
    return { version: library.version, logits }
  } finally {
    library.checked((status) => call.TF_CloseSession(session, status))
    library.checked((status) => call.TF_DeleteSession(session, status))
    call.TF_DeleteSessionOptions(options)
    call.TF_DeleteGraph(graph)
  }
}
