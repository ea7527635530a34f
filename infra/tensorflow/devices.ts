/** What a loaded TensorFlow can compute on. */
import type { Pointer, TensorFlow } from "./capi.ts"
import { Graph } from "./graph.ts"
import { Session } from "./session.ts"

export interface Device {
  /** As TensorFlow writes it: `/job:localhost/replica:0/task:0/device:GPU:0`. */
  readonly name: string
  readonly type: string
}

/** Opens a session for a moment: TensorFlow looks for devices only then. */
export const devicesOf = (library: TensorFlow, threads: number): ReadonlyArray<Device> => {
  const graph = new Graph(library)
  try {
    const session = new Session(graph, threads)
    try {
      return session.withDevices((list) => read(library, list))
    } finally {
      session.close()
    }
  } finally {
    graph.close()
  }
}

const read = (library: TensorFlow, list: Pointer): ReadonlyArray<Device> => {
  const { call } = library
  return Array.from({ length: call.TF_DeviceListCount(list) as number }, (_, index) => ({
    name: library.checked((status) => call.TF_DeviceListName(list, index, status)) as string,
    type: library.checked((status) => call.TF_DeviceListType(list, index, status)) as string
  }))
}
