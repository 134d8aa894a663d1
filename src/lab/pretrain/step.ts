import { imageProjection } from '../../clip/towers/image-tower.ts'
import { pack } from '../../clip/towers/packing.ts'
import { type BatchNormalise, resnet } from '../../clip/towers/resnet.ts'
import { textTower } from '../../clip/towers/text-tower.ts'
import { vit } from '../../clip/towers/vit.ts'
import type { ClipConfig } from '../../clip/types.ts'
import { type Parameters, under } from '../../clip/weights/parameters.ts'
import {
  add,
  batchNorm,
  crossEntropy,
  dims,
  exp,
  Graph,
  gather,
  gradients,
  l2Normalise,
  matmul,
  mul,
  type Program,
  program,
  type Shape,
  scale,
  transpose,
  type Value,
} from '../../graph/index.ts'

/** A batch is `batch` pictures with a caption each; caption rows come in buckets of fixed length, equally many in each. */
export interface BatchShape {
  readonly batch: number
  readonly buckets: readonly number[]
}

/** Outputs of a step: gradients, and statistics of the batch that batch normalisation saw. */
export type StepOutput = 'loss' | `d ${string}` | `mean ${string}` | `variance ${string}`

export interface PretrainStep {
  readonly program: Program<StepOutput>
  /** What is learned: inputs of the program, each with its gradient as output `d NAME`. */
  readonly parameters: ReadonlyMap<string, Shape>
  /** Batch normalisations by name; outputs `mean NAME` and `variance NAME` of this batch, over `count` values each. */
  readonly norms: ReadonlyMap<string, { readonly channels: number; readonly count: number }>
}

/**
 * One step of contrastive training (Radford et al. 2021, Fig. 3): both towers, symmetric cross-entropy, all gradients.
 * Pictures of one concept in a batch are no negatives of each other: `targets` has rows of equal weight for them.
 *
 * Inputs besides the parameters, with rows = sum over buckets of length x batch / buckets:
 * `pixels (batch, 3, size, size)`; `tokens (rows)` int64; `hard (rows, 1)` 1 for tokens, 0 where a random vector of
 * `soft (rows, width)` stands instead; `ends (batch)` int64 rows of the end tokens; `targets (batch, batch)`.
 */
export function pretrainStep(config: ClipConfig, shape: BatchShape): PretrainStep {
  const graph = new Graph()
  const parameters = new Map<string, Shape>()
  const norms = new Map<string, { channels: number; count: number }>()
  const statistics: Record<string, Value> = {}
  const p = inputParameters(graph, parameters)

  const images = l2Normalise(trainedImageTower(p, config, shape.batch, graph, norms, statistics))
  const texts = l2Normalise(captionFeatures(p, config, shape, graph))
  const logits = mul(matmul(images, texts, { transB: true }), exp(p('logit_scale', [])))
  const targets = graph.input('targets', [shape.batch, shape.batch])
  const loss = scale(add(crossEntropy(logits, targets), crossEntropy(transpose(logits, [1, 0]), targets)), 0.5)

  const names = [...parameters.keys()]
  const d = gradients(
    loss,
    names.map((name) => p(name, parameters.get(name) ?? [])),
  )
  const outputs: Record<StepOutput, Value> = { loss, ...statistics }
  for (const [i, name] of names.entries()) {
    const gradient = d[i]
    if (gradient !== undefined) outputs[`d ${name}`] = gradient
  }
  return { program: program(graph, outputs), parameters, norms }
}

function trainedImageTower(
  parameters: Parameters,
  config: ClipConfig,
  batch: number,
  graph: Graph,
  norms: Map<string, { channels: number; count: number }>,
  statistics: Record<string, Value>,
): Value {
  const { vision } = config
  const p = under(parameters, 'visual.')
  const pixels = graph.input('pixels', [batch, 3, vision.imageSize, vision.imageSize])
  if (vision.kind === 'vit') return imageProjection(parameters, config, vit(p, vision, pixels))
  const normalise: BatchNormalise = (q, name, x) => {
    const [n, channels, h, w] = dims(x, 4)
    const gamma = q(`${name}.weight`, [channels])
    const { y, mean, variance } = batchNorm(x, gamma, q(`${name}.bias`, [channels]), 1, 1e-5)
    const full = (gamma.node.name ?? name).replace(/\.weight$/, '')
    norms.set(full, { channels, count: n * h * w })
    statistics[`mean ${full}`] = mean
    statistics[`variance ${full}`] = variance
    return y
  }
  return imageProjection(parameters, config, resnet(p, vision, pixels, { normalise }))
}

function captionFeatures(p: Parameters, config: ClipConfig, shape: BatchShape, graph: Graph): Value {
  const { text, embedDim } = config
  const perBucket = shape.batch / shape.buckets.length
  const lengths = shape.buckets.flatMap((length) => new Array<number>(perBucket).fill(length))
  const packing = pack(
    lengths.map((length) => Array.from({ length }, (_, i) => i)),
    false,
  )
  const rows = packing.positions.length
  const table = p('token_embedding.weight', [text.vocabSize, text.width])
  const words = mul(gather(table, graph.input('tokens', [rows], 'int64')), graph.input('hard', [rows, 1]))
  const embedded = add(words, graph.input('soft', [rows, text.width]))
  const position = gather(p('positional_embedding', [text.contextLength, text.width]), graph.ints(packing.positions))
  const x = add(embedded, position)
  return textTower(p, text, embedDim, packing, x, { ends: graph.input('ends', [shape.batch], 'int64') })
}

/** Tensors that are fed at each run under their own names; `shapes` collects what was asked for. */
function inputParameters(graph: Graph, shapes: Map<string, Shape>): Parameters {
  const known = new Map<string, Value>()
  return (name, shape) => {
    const value = known.get(name) ?? graph.input(name, shape)
    known.set(name, value)
    shapes.set(name, shape)
    return value
  }
}
