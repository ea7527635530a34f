import { layerNative } from "../../infra/tensorflow/NativeRuntime.ts"
export const nativeRuntimeForTests = (threads: number) =>
  layerNative({
    library: {
      directory: "/tmp/tflib",
      api: "/tmp/tflib/libtensorflow_cc.so.2",
      framework: "/tmp/tflib/libtensorflow_framework.so.2"
    },
    threads
  })
