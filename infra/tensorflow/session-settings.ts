/**
 * `ConfigProto` in protobuf's wire format (`tensorflow/core/protobuf/config.proto`).
 *
 * `intra_op_parallelism_threads` (field 2) is the pool that one operation is split over. Nodes run one after
 * another, as the large ones take all cores anyway: where `inter_op_parallelism_threads` (5) is negative, on
 * the thread that asks for the run, which saves handing it to another. `gpu_options.allow_growth` (6, in it
 * 4) takes a GPU's memory as it is needed in the place of all of it; `allow_soft_placement` (7) leaves a node
 * that no GPU can run to the CPU.
 */
export const sessionSettings = (threads: number): Uint8Array =>
  Uint8Array.of(
    ...[tag(2, VARINT), ...varint(threads)],
    ...[tag(5, VARINT), ...MINUS_ONE],
    ...[tag(6, BYTES), ALLOW_GROWTH.length, ...ALLOW_GROWTH],
    ...[tag(7, VARINT), TRUE]
  )

const VARINT = 0
const BYTES = 2
const TRUE = 1
/** Negative numbers are written in 64 bits. */
const MINUS_ONE = [...new Array<number>(9).fill(0xff), 1]

const tag = (field: number, type: number): number => (field << 3) | type

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
const varint = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]

const ALLOW_GROWTH = [tag(4, VARINT), TRUE]
