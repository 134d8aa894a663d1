import * as ort from 'onnxruntime-node'
import type { FloatTensor } from '../graph/tensor.ts'
import { disableTelemetry } from '../node/telemetry.ts'

/** An ONNX file in onnxruntime-node as it comes from npm, in this thread, with none of our code around it. */
export async function stockSession(file: Uint8Array) {
  await disableTelemetry()
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 })
  return {
    inputs: session.inputMetadata,
    outputs: session.outputMetadata,
    async run(pixels: FloatTensor): Promise<{ readonly logits: number[]; readonly probabilities: number[] }> {
      const feed = new ort.Tensor('float32', pixels.data, pixels.shape)
      const { logits, probabilities } = await session.run({ pixel_values: feed })
      const numbers = (data: ort.Tensor['data'] = []) => Array.from(data, Number)
      return { logits: numbers(logits?.data), probabilities: numbers(probabilities?.data) }
    },
  }
}

/** Texts of an ONNX file's metadata_props, found by their bytes: onnxruntime-node does not show them. */
export function metadataOf(file: Uint8Array): Map<string, unknown> {
  const found = new Map<string, unknown>()
  // ModelProto 14: a message of two texts, key and value
  for (const [tag, message] of fieldsOf(file)) {
    if (tag !== 14) continue
    const [key = '', value = ''] = Array.from(fieldsOf(message), ([, bytes]) => new TextDecoder().decode(bytes))
    found.set(key, JSON.parse(value))
  }
  return found
}

/** Number and bytes of the fields of a message that have a length; others are passed over. */
function* fieldsOf(bytes: Uint8Array): Generator<readonly [number, Uint8Array]> {
  let at = 0
  const varint = () => {
    let [value, factor] = [0, 1]
    for (;;) {
      const byte = bytes[at++] ?? 0
      value += (byte & 0x7f) * factor
      factor *= 128
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const length = varint()
    if (tag % 8 === 0) continue
    yield [Math.floor(tag / 8), bytes.subarray(at, at + length)]
    at += length
  }
}
