import type { Clip } from '../../clip/types.ts'
import {
  add,
  argmax,
  concat,
  dims,
  equals,
  exp,
  type FloatTensor,
  floatTensor,
  Graph,
  intTensor,
  matmul,
  mul,
  type Program,
  program,
  reshape,
  scale,
  sub,
  sum,
  type Value,
} from '../../graph/index.ts'
import { imageLogits, labelLoss, unitRows } from '../../learning/logits.ts'
import { stepOf } from '../../learning/loop.ts'
import type { Runtime } from '../../runtime/types.ts'

/** Features of training images, against which images are compared, and the class of each. */
export interface Cache {
  /** `(images, embed)`, of length 1 unless fine-tuned. */
  readonly keys: FloatTensor
  readonly labels: readonly number[]
}

/** How much the cache counts, and how sharply it tells near from far. */
export interface Weighting {
  readonly alpha: number
  readonly beta: number
}

/**
 * What the cache says of images: the sum of exp(-beta (1 - x . key)) over the keys of each class.
 *
 * @param affinities x . key, `(n, images)`
 * @param beta a scalar
 * @returns `(n, classes)`
 */
function cacheLogits(affinities: Value, labels: readonly number[], classes: number, beta: Value): Value {
  const { graph } = affinities
  const near = exp(mul(sub(affinities, graph.scalar(1)), beta))
  return matmul(near, graph.weight('values', oneHot(labels, classes)))
}

/**
 * Logits `(n, classes)` of features x `(n, embed)` of any length:
 *
 *     logits = exp(logit_scale) x . t  +  alpha exp(-beta (1 - x . keys)) onehot,   x of length 1
 *
 * @param keys `(images, embed)`
 * @param text `(classes, embed)` of length 1
 */
export function tipLogits(
  clip: Clip,
  x: Value,
  { keys, labels }: { readonly keys: Value; readonly labels: readonly number[] },
  text: FloatTensor,
  { alpha, beta }: Weighting,
): Value {
  const { graph } = x
  const affinities = matmul(unitRows(x), keys, { transB: true })
  const fromCache = cacheLogits(affinities, labels, dims(text, 2)[0], graph.scalar(beta))
  return add(imageLogits(clip, x, graph.weight('text', text)), scale(fromCache, alpha))
}

/**
 * One step of fine-tuning the keys: `keys`, `features` `(batch, embed)` of any length, `labels` -> loss and gradient.
 *
 * @param text `(classes, embed)` of length 1
 */
export function tipStep(
  clip: Clip,
  text: FloatTensor,
  { keys, labels }: Cache,
  weighting: Weighting,
  batch: number,
): Program {
  const graph = new Graph()
  const learned = graph.input('keys', keys.shape)
  const features = graph.input('features', [batch, clip.config.embedDim])
  const logits = tipLogits(clip, features, { keys: learned, labels }, text, weighting)
  return stepOf(labelLoss(logits), new Map([['keys', learned]]), { logits })
}

function oneHot(labels: readonly number[], classes: number): FloatTensor {
  const values = floatTensor([labels.length, classes])
  for (const [i, label] of labels.entries()) values.data[i * classes + label] = 1
  return values
}

/** Ends and steps of the search for alpha and beta: values from 0.1 on, below the end. */
export interface Grid {
  readonly maxAlpha: number
  readonly alphaSteps: number
  readonly maxBeta: number
  readonly betaSteps: number
}

/** Images to choose a weighting by. */
export interface Chooser {
  /** x . key of each, `(n, images)`. */
  readonly affinities: FloatTensor
  /** CLIP's own, `(n, classes)`. */
  readonly clipLogits: FloatTensor
  readonly labels: readonly number[]
}

/**
 * The weighting with the most images right, the first of several; both 0, CLIP alone, where no weighting has any right.
 *
 * @param onTried called with how many values of beta, of how many, have been tried
 */
export async function searchWeighting(
  runtime: Runtime,
  chooser: Chooser,
  cacheLabels: readonly number[],
  { maxAlpha, alphaSteps, maxBeta, betaSteps }: Grid,
  { onTried, signal }: { readonly onTried?: (done: number, total: number) => void; readonly signal?: AbortSignal } = {},
): Promise<Weighting & { readonly right: number }> {
  const alphas = valuesOf(maxAlpha, alphaSteps)
  let best = { alpha: 0, beta: 0, right: 0 }
  const session = await runtime.load(rightProgram(chooser, cacheLabels, alphas))
  try {
    for (const [i, beta] of valuesOf(maxBeta, betaSteps).entries()) {
      signal?.throwIfAborted()
      const { right } = await session.run({ beta: floatTensor([], Float32Array.of(beta)) })
      for (const [k, alpha] of alphas.entries()) {
        const found = right?.data[k] ?? 0
        if (found > best.right) best = { alpha, beta, right: found }
      }
      onTried?.(i + 1, betaSteps)
    }
  } finally {
    await session.dispose()
  }
  return best
}

/** `beta` -> how many images are `right` with each alpha. */
function rightProgram({ affinities, clipLogits, labels }: Chooser, cacheLabels: readonly number[], alphas: number[]) {
  const graph = new Graph()
  const [, classes] = dims(clipLogits, 2, 'logits')
  const beta = graph.input('beta', [])
  const fromCache = cacheLogits(graph.weight('affinities', affinities), cacheLabels, classes, beta)
  const own = graph.weight('clip', clipLogits)
  const targets = graph.constant(intTensor([labels.length], labels))
  const right = alphas.map((alpha) => {
    const hits = equals(argmax(add(own, scale(fromCache, alpha))), targets)
    return reshape(sum(hits, [0]), [1])
  })
  return program(graph, { right: concat(right, 0) })
}

const valuesOf = (end: number, steps: number) =>
  Array.from({ length: steps }, (_, i) => 0.1 + (i * (end - 0.1)) / steps)
