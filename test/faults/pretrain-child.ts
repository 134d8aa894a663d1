// The body of a process that pretrains a small model on random pictures, with checkpoints, and exports it.
import { join } from 'node:path'
import { randomFor } from '../../src/base/random.ts'
import { createTokenizer } from '../../src/clip/tokenizer/tokenizer.ts'
import type { ArtData } from '../../src/lab/pretrain/art/source.ts'
import { exportModel } from '../../src/lab/pretrain/export.ts'
import { pretrain } from '../../src/lab/pretrain/pretrain.ts'
import { PRETRAIN_DEFAULTS } from '../../src/lab/pretrain/settings.ts'
import { withClaim } from '../../src/node/claim.ts'
import { exists } from '../../src/node/run-folder.ts'
import { nodeRuntime } from '../../src/node/runtime.ts'
import { tinyTables } from '../../src/testing/tiny-clip.ts'

const SMALL = { batch: 2, buckets: [12], textWidth: 32, textLayers: 1, imageWidth: 8, embedDim: 8 }
const settings = { ...PRETRAIN_DEFAULTS, ...SMALL, steps: 120, warmup: 10 }
const PIXELS = 3 * 64 * 64

const art: ArtData = {
  pictures: 1,
  conceptCount: 2,
  tokenizer: createTokenizer({ ...tinyTables, contextLength: 77, name: 'tiny' }),
  tables: tinyTables,
  batch(seed, step, size) {
    const random = randomFor('faults', seed, step)
    const words = () => Array.from({ length: 4 }, () => 1 + random.int(tinyTables.vocab.size - 3))
    return {
      pixels: Float32Array.from({ length: size * PIXELS }, () => random.next() - 0.5),
      captions: Array.from({ length: size }, () => [art.tokenizer.startToken, ...words(), art.tokenizer.endToken]),
      concepts: Int32Array.from({ length: size }, (_, i) => i),
    }
  },
}

const out = process.argv[2] ?? ''
await withClaim(out, {}, async (hooks) => {
  const goesOn = await exists(join(out, 'checkpoint.safetensors'))
  const runtime = await nodeRuntime({ threads: 1 })
  const run = await pretrain(art, settings, runtime, out, goesOn, hooks)
  await exportModel(run, art, settings, join(out, 'model'))
  await runtime.close()
})
