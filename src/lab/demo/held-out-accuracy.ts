import type { Hooks } from '../../base/progress.ts'
import { encodeTexts, type ImageEncoder } from '../../clip/encode.ts'
import type { Clip } from '../../clip/types.ts'
import { matmul } from '../../graph/index.ts'
import { mapRows } from '../../learning/rows.ts'
import { normaliseRows } from '../../learning/vectors.ts'
import type { Runtime } from '../../runtime/types.ts'
import { plainLabel } from '../pretrain/art/captions.ts'
import { encodePictures } from './encode.ts'
import type { HeldOut } from './held-out.ts'
import type { HeldOutStyle } from './types.ts'

/** How often a drawing's own label is the first, or among the first five, of all labels of its style. */
export interface StyleAccuracy {
  readonly labels: number
  readonly top1: number
  readonly top5: number
}

const STYLES: readonly HeldOutStyle[] = ['fluent-3d', 'emojione-v1', 'openmoji', 'fluent-high-contrast']
const PROMPT = 'an emoji of a {}'

/** Zero-shot accuracy among all emoji of each held-out style, with the prompt "an emoji of a {label}". */
export async function heldOutAccuracy(
  clip: Clip,
  runtime: Runtime,
  encoder: ImageEncoder,
  heldOut: HeldOut,
  hooks: Hooks = {},
): Promise<Record<string, StyleAccuracy>> {
  const result: Record<string, StyleAccuracy> = {}
  const listed = STYLES.map((style) => ({
    style,
    emoji: [...heldOut.emoji.values()].filter((one) => one.tones.length === 0 && heldOut.has(style, one.code)),
  }))
  const total = listed.reduce((sum, { emoji }) => sum + emoji.length, 0)
  let done = 0
  for (const { style, emoji } of listed) {
    const texts = emoji.map(({ label }) => PROMPT.replace('{}', plainLabel(label)))
    const text = normaliseRows(await encodeTexts(clip, runtime, texts))
    const drawings = emoji.map(({ code }) => ({ render: () => heldOut.render(style, code) }))
    const features = await encodePictures(clip, encoder, drawings, (count) => {
      done += count
      hooks.onProgress?.({ kind: 'evaluate', done, total })
    })
    const { data } = await mapRows(runtime, normaliseRows(features), (rows) =>
      matmul(rows, rows.graph.weight('text', text), { transB: true }),
    )
    const ranks = emoji.map((_, i) => rankOf(data.subarray(i * emoji.length, (i + 1) * emoji.length), i))
    const within = (k: number) => ranks.filter((rank) => rank < k).length / ranks.length
    result[style] = { labels: emoji.length, top1: within(1), top5: within(5) }
  }
  return result
}

/** How many other entries are larger. */
function rankOf(row: Float32Array, own: number): number {
  const mine = row[own] ?? 0
  return row.reduce((rank, x) => rank + (x > mine ? 1 : 0), 0)
}
