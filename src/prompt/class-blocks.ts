import { positionRows, tokenRows } from '../clip/encode.ts'
import { type Packing, pack } from '../clip/towers/packing.ts'
import { textTower } from '../clip/towers/text-tower.ts'
import type { Clip } from '../clip/types.ts'
import { constantParameters } from '../clip/weights/parameters.ts'
import {
  add,
  concat,
  dims,
  type FloatTensor,
  floatTensor,
  Graph,
  gather,
  gradients,
  intTensor,
  l2Normalise,
  mul,
  type Program,
  program,
  reshape,
  sum,
  type Tensor,
} from '../graph/index.ts'
import type { Runtime, Session } from '../runtime/types.ts'
import type { PromptLayout } from './layout.ts'

/** Packed rows that one program with a gradient has at most: more take more memory than a laptop has to spare. */
export const MAX_ROWS = 4500
/** And those of a block, whose programs hold the weights once more. */
const BLOCK_ROWS = 2500

/**
 * Class features of so many classes that they are computed block after block: memory depends on the block alone. All
 * blocks are one program with other feeds, so that the weights are held once.
 */
export interface ClassBlocks {
  /** `(classes, embed)` of length 1, for context vectors `ctx` (see contextShape). */
  features(ctx: FloatTensor): Promise<FloatTensor>
  /** The gradient towards `ctx` of a loss whose gradient towards the features is `dy` `(classes, embed)`. */
  gradient(ctx: FloatTensor, dy: FloatTensor): Promise<FloatTensor>
  dispose(): Promise<void>
}

/** Computes the class features of `layout` in blocks of at most `maxRows` packed rows; programs are loaded when they are needed. */
export function classBlocks(clip: Clip, layout: PromptLayout, runtime: Runtime, maxRows = BLOCK_ROWS): ClassBlocks {
  const plan = planOf(layout, maxRows)
  const loaded: { forward?: Session<'features'>; backward?: Session<'gradient'> } = {}
  const { embedDim } = clip.config
  const feedsOf = (ctx: FloatTensor, block: Block) => ({ ctx: contextOf(ctx, layout, block), ...block.feeds })
  return {
    async features(ctx) {
      const all = floatTensor([layout.classes, embedDim])
      loaded.forward ??= await runtime.load(forwardProgram(clip, layout, plan))
      for (const block of plan.blocks) {
        const { features } = await loaded.forward.run(feedsOf(ctx, block))
        for (const [i, c] of block.classes.entries()) copyRow(features, i, all, c)
      }
      return all
    },
    async gradient(ctx, dy) {
      const total = floatTensor(ctx.shape)
      loaded.backward ??= await runtime.load(backwardProgram(clip, layout, plan))
      for (const block of plan.blocks) {
        const part = floatTensor([block.size, embedDim])
        for (const [i, c] of block.classes.entries()) copyRow(dy, c, part, i)
        const { gradient } = await loaded.backward.run({ ...feedsOf(ctx, block), dy: part })
        addContext(total, gradient, layout, block)
      }
      return total
    },
    async dispose() {
      await loaded.forward?.dispose()
      await loaded.backward?.dispose()
    },
  }
}

/** Classes whose prompts are computed together. */
interface Block {
  /** In the order of the block's features; there may be fewer of them than features. */
  readonly classes: readonly number[]
  readonly size: number
  /** `slots` of the packed rows, and `ends`: the rows of the end tokens. */
  readonly feeds: Readonly<Record<'slots' | 'ends', Tensor>>
}

interface Plan {
  /** Of every block: what stands for its prompts, each as long as the longest in its place. */
  readonly packing: Packing
  /** Context vectors of a block. */
  readonly contextRows: number
  readonly blocks: readonly Block[]
}

/**
 * The classes in blocks that are alike. Sorted by length, classes are dealt out one by one, so that those in the same
 * place of each block are about as long; a shorter prompt is filled up behind its end, where nothing looks (the tower is
 * causal).
 */
function planOf(layout: PromptLayout, maxRows: number): Plan {
  const { sequences, classes, packing, classSpecific, M } = layout
  const { prefix } = packing
  const order = sequences.map((_, c) => c).sort((a, b) => lengthOf(a) - lengthOf(b))
  function lengthOf(c: number): number {
    return sequences[c]?.length ?? 0
  }
  const rows = sequences.reduce((n, { length }) => n + length - prefix, 0)
  const count = Math.min(classes, Math.ceil(rows / (maxRows - prefix)))
  const size = Math.ceil(classes / count)
  const dealt = (block: number) => order.filter((_, i) => i % count === block)
  const places = Array.from({ length: size }, (_, i) => order.slice(i * count, (i + 1) * count))
  const lengths = places.map((alike) => Math.max(...alike.map(lengthOf)))
  // nothing but the prefix is shared, as what is shared differs from block to block
  let next = prefix
  const template = lengths.map((length) => Array.from({ length }, (_, i) => (i < prefix ? i : next++)))
  const packed = pack(template)
  const rowAt = new Map(packed.slots.map((slot, row) => [slot, row]))
  const contextRows = classSpecific ? size * M : M
  const blockOf = (classes: readonly number[]): Block => {
    const slots = new Array<number>(packed.slots.length).fill(0)
    const ends: number[] = []
    for (const [i, stands] of template.entries()) {
      const c = classes[i] ?? classes[0] ?? 0
      const sequence = sequences[c] ?? []
      const own = (slot: number) => {
        if (slot >= layout.contextRows) return slot - layout.contextRows + contextRows
        return classSpecific ? slot - c * M + i * M : slot
      }
      for (const [position, slot] of stands.entries()) {
        slots[rowAt.get(slot) ?? 0] = own(sequence[Math.min(position, sequence.length - 1)] ?? 0)
      }
      ends.push(rowAt.get(stands[Math.min(sequence.length, stands.length) - 1] ?? 0) ?? 0)
    }
    return { classes, size, feeds: { slots: intTensor([slots.length], slots), ends: intTensor([size], ends) } }
  }
  return { packing: packed, contextRows, blocks: Array.from({ length: count }, (_, b) => blockOf(dealt(b))) }
}

/** The class features of a block, from the inputs `ctx`, `slots` and `ends`. */
function blockFeatures(clip: Clip, layout: PromptLayout, { packing, contextRows, blocks }: Plan) {
  const { text, embedDim } = clip.config
  const { M, classSpecific, tokens } = layout
  const graph = new Graph()
  const shape = classSpecific ? [contextRows / M, M, text.width] : [M, text.width]
  const ctx = graph.input('ctx', shape)
  const table = concat([reshape(ctx, [contextRows, text.width]), graph.constant(tokenRows(clip, tokens))], 0)
  const rows = gather(table, graph.input('slots', [packing.slots.length], 'int64'))
  const x = add(rows, graph.constant(positionRows(clip, packing.positions)))
  const ends = graph.input('ends', [blocks[0]?.size ?? 0], 'int64')
  const p = constantParameters(graph, clip.weights)
  return { ctx, features: l2Normalise(textTower(p, text, embedDim, packing, x, { ends })) }
}

function forwardProgram(...of: Parameters<typeof blockFeatures>): Program<'features'> {
  const { features } = blockFeatures(...of)
  return program(features.graph, { features })
}

/** With the input `dy` as well: the gradient of the sum of features times dy. */
function backwardProgram(...of: Parameters<typeof blockFeatures>): Program<'gradient'> {
  const { ctx, features } = blockFeatures(...of)
  const { graph } = ctx
  const [gradient = ctx] = gradients(sum(mul(features, graph.input('dy', features.shape)), [0, 1]), [ctx])
  return program(graph, { gradient })
}

/** The context vectors of a block's classes. */
function contextOf(ctx: FloatTensor, { classSpecific }: PromptLayout, { classes, size }: Block): FloatTensor {
  if (!classSpecific) return ctx
  const [, M, width] = dims(ctx, 3)
  const own = floatTensor([size, M, width])
  for (const [i, c] of classes.entries()) copyRow(ctx, c, own, i)
  return own
}

function addContext(total: FloatTensor, part: FloatTensor, { classSpecific }: PromptLayout, { classes }: Block): void {
  if (classSpecific) for (const [i, c] of classes.entries()) copyRow(part, i, total, c)
  else for (let i = 0; i < total.data.length; i++) total.data[i]! += part.data[i]!
}

/** Row `i` along the first axis becomes row `to` of another tensor. */
function copyRow(from: FloatTensor, i: number, into: FloatTensor, to: number): void {
  const row = from.data.length / (from.shape[0] ?? 1)
  into.data.set(from.data.subarray(i * row, (i + 1) * row), to * row)
}
