import { sizeOf } from '../graph/tensor.ts'
import { CLIP_MEAN, CLIP_STD } from './config/schema.ts'
import type { Activation, ClipConfig, ResNetConfig, TextConfig, VitConfig } from './types.ts'
import { expectedTensors } from './weights/expected.ts'

/** How good a model is without learning, as fractions of 1, from open_clip's docs/openclip_results.csv. */
export interface ZeroShotScores {
  /** Mean over DataComp's 38 data sets. */
  readonly mean38: number
  readonly imageNet: number
}

/** A CLIP that people know by name. */
export interface KnownModel {
  /** As the paper and OpenAI's code call its towers: `RN50`, `ViT-B/16`. */
  readonly architecture: string
  readonly maker: 'OpenAI' | 'LAION' | 'Apple' | 'Meta'
  /** Its id on the hub, which `--model` takes. */
  readonly id: string
  /** OpenAI's own file of it, and the SHA-256 of that. */
  readonly release?: { readonly file: string; readonly sha256: string }
  readonly scores: ZeroShotScores
  /** Of the weights, as the model's own page or open_clip's docs/PRETRAINED.md says; undefined where neither does. */
  readonly licence?: string
  readonly config: ClipConfig
}

/** Width, layers and heads of a transformer. */
type Sizes = readonly [width: number, layers: number, heads: number]

const transformer = ([width, layers, heads]: Sizes, activation: Activation) => ({
  width,
  layers,
  heads,
  mlpWidth: 4 * width,
  activation,
  layerNormEpsilon: 1e-5,
})

const text = (sizes: Sizes, activation: Activation): TextConfig => ({
  vocabSize: 49408,
  contextLength: 77,
  ...transformer(sizes, activation),
})

const clip = (embedDim: number, text: TextConfig, vision: VitConfig | ResNetConfig): ClipConfig => ({
  embedDim,
  text,
  vision,
  preprocess: { size: vision.imageSize, mean: CLIP_MEAN, std: CLIP_STD },
})

const resNet = (embedDim: number, layers: ResNetConfig['layers'], width: number, imageSize: number, textSizes: Sizes) =>
  clip(embedDim, text(textSizes, 'quick_gelu'), {
    kind: 'resnet',
    imageSize,
    width,
    layers,
    heads: width / 2,
  })

interface VitSizes {
  readonly embedDim: number
  readonly patchSize: number
  readonly vision: Sizes
  readonly text: Sizes
  readonly imageSize?: number
}

const vit = (activation: Activation, { embedDim, patchSize, vision, text: words, imageSize = 224 }: VitSizes) =>
  clip(embedDim, text(words, activation), {
    kind: 'vit',
    imageSize,
    patchSize,
    ...transformer(vision, activation),
  })

const BASE_TEXT: Sizes = [512, 12, 8]
const B32: VitSizes = { embedDim: 512, patchSize: 32, vision: [768, 12, 12], text: BASE_TEXT }
const B16: VitSizes = { ...B32, patchSize: 16 }
const L14: VitSizes = { embedDim: 768, patchSize: 14, vision: [1024, 24, 16], text: [768, 12, 12] }
const B32_256: VitSizes = { ...B32, imageSize: 256 }
const H14: VitSizes = { embedDim: 1024, patchSize: 14, vision: [1280, 32, 16], text: [1024, 24, 16] }

/** What a row says beside the sizes: [mean of 38, ImageNet]. */
type Row = readonly [architecture: string, id: string, scores: readonly [number, number], config: ClipConfig]

const by =
  (maker: KnownModel['maker'], licence?: string) =>
  ([architecture, id, [mean38, imageNet], config]: Row, release?: KnownModel['release']): KnownModel => ({
    architecture,
    maker,
    id,
    release,
    scores: { mean38, imageNet },
    licence,
    config,
  })

const openAi = by('OpenAI')
const laion = by('LAION', 'MIT')
const apple = by('Apple', "Apple's own")
const meta = by('Meta', 'CC BY-NC 4.0')

/** Pixels from -1 to 1. */
const plainPixels = (config: ClipConfig): ClipConfig => ({
  ...config,
  preprocess: { ...config.preprocess, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
})

/**
 * All known models, those of the paper first. Activation and preprocessing are those of open_clip's pretrained.py; what a
 * model is computed with is what its own configuration says.
 */
export const KNOWN_MODELS: readonly KnownModel[] = [
  openAi(['RN50', 'timm/resnet50_clip.openai', [0.481, 0.5982], resNet(1024, [3, 4, 6, 3], 64, 224, BASE_TEXT)], {
    file: 'RN50.pt',
    sha256: 'afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762',
  }),
  openAi(['RN101', 'timm/resnet101_clip.openai', [0.5033, 0.6228], resNet(512, [3, 4, 23, 3], 64, 224, BASE_TEXT)], {
    file: 'RN101.pt',
    sha256: '8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599',
  }),
  openAi(
    ['RN50x4', 'timm/resnet50x4_clip.openai', [0.5188, 0.6627], resNet(640, [4, 6, 10, 6], 80, 288, [640, 12, 10])],
    { file: 'RN50x4.pt', sha256: '7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd' },
  ),
  openAi(
    ['RN50x16', 'timm/resnet50x16_clip.openai', [0.567, 0.7072], resNet(768, [6, 8, 18, 8], 96, 384, [768, 12, 12])],
    { file: 'RN50x16.pt', sha256: '52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa' },
  ),
  openAi(
    [
      'RN50x64',
      'timm/resnet50x64_clip.openai',
      [0.6061, 0.7391],
      resNet(1024, [3, 15, 36, 10], 128, 448, [1024, 12, 16]),
    ],
    { file: 'RN50x64.pt', sha256: 'be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c' },
  ),
  openAi(['ViT-B/32', 'openai/clip-vit-base-patch32', [0.5245, 0.6332], vit('quick_gelu', B32)], {
    file: 'ViT-B-32.pt',
    sha256: '40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af',
  }),
  openAi(['ViT-B/16', 'openai/clip-vit-base-patch16', [0.5626, 0.6834], vit('quick_gelu', B16)], {
    file: 'ViT-B-16.pt',
    sha256: '5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f',
  }),
  openAi(['ViT-L/14', 'openai/clip-vit-large-patch14', [0.6173, 0.7554], vit('quick_gelu', L14)], {
    file: 'ViT-L-14.pt',
    sha256: 'b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836',
  }),
  openAi(
    [
      'ViT-L/14@336px',
      'openai/clip-vit-large-patch14-336',
      [0.6284, 0.7656],
      vit('quick_gelu', { ...L14, imageSize: 336 }),
    ],
    { file: 'ViT-L-14-336px.pt', sha256: '3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02' },
  ),
  laion(['ViT-B/32', 'laion/CLIP-ViT-B-32-laion2B-s34B-b79K', [0.5694, 0.6656], vit('gelu', B32)]),
  laion(['ViT-B/16', 'laion/CLIP-ViT-B-16-laion2B-s34B-b88K', [0.5866, 0.7023], vit('gelu', B16)]),
  laion(['ViT-L/14', 'laion/CLIP-ViT-L-14-laion2B-s32B-b82K', [0.6205, 0.7525], plainPixels(vit('gelu', L14))]),
  laion(['ViT-H/14', 'laion/CLIP-ViT-H-14-laion2B-s32B-b79K', [0.6419, 0.7796], vit('gelu', H14)]),
  laion(['ViT-B/32', 'laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K', [0.5795, 0.6917], vit('gelu', B32)]),
  laion(['ViT-B/32@256px', 'laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K', [0.6087, 0.7281], vit('gelu', B32_256)]),
  laion(['ViT-B/16', 'laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K', [0.6147, 0.7349], vit('gelu', B16)]),
  laion(['ViT-L/14', 'laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K', [0.6627, 0.7921], vit('gelu', L14)]),
  apple(['ViT-B/16', 'apple/DFN2B-CLIP-ViT-B-16', [0.6092, 0.7624], vit('quick_gelu', B16)]),
  apple(['ViT-L/14', 'apple/DFN2B-CLIP-ViT-L-14', [0.6687, 0.8141], vit('quick_gelu', L14)]),
  meta(['ViT-B/32', 'facebook/metaclip-b32-400m', [0.5387, 0.6558], vit('quick_gelu', B32)]),
  meta(['ViT-B/32', 'facebook/metaclip-b32-fullcc2.5b', [0.5577, 0.6766], vit('quick_gelu', B32)]),
  meta(['ViT-B/16', 'facebook/metaclip-b16-400m', [0.5785, 0.708], vit('quick_gelu', B16)]),
  meta(['ViT-B/16', 'facebook/metaclip-b16-fullcc2.5b', [0.6041, 0.7212], vit('quick_gelu', B16)]),
  meta(['ViT-L/14', 'facebook/metaclip-l14-400m', [0.6252, 0.762], vit('quick_gelu', L14)]),
  meta(['ViT-L/14', 'facebook/metaclip-l14-fullcc2.5b', [0.6592, 0.7917], vit('quick_gelu', L14)]),
]

/**
 * The words for those who do not want to choose: of each size the known model with the best mean over 38 data sets among
 * those whose licence asks for nothing but its notice.
 */
export const MODEL_WORDS = {
  fast: 'laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K',
  good: 'laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K',
  best: 'laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K',
} as const

/** The hub id behind `fast`, `good` and `best`; any other word is itself. */
export const modelOfWord = (word: string): string =>
  Object.entries(MODEL_WORDS).find(([name]) => name === word)?.[1] ?? word

/** The name of a model's towers, such as `RN50` or `ViT-B/16`; undefined when they are none of the known ones. */
export function architectureOf(config: ClipConfig): string | undefined {
  const sizes = sizesOf(config)
  return KNOWN_MODELS.find((known) => sizesOf(known.config) === sizes)?.architecture
}

/** A known model that differs from this one in nothing but its heads, which tensors do not tell. */
export function sameButHeads(config: ClipConfig): KnownModel | undefined {
  if (architectureOf(config) !== undefined) return undefined
  const sizes = sizesOf(withoutHeads(config))
  return KNOWN_MODELS.find((known) => sizesOf(withoutHeads(known.config)) === sizes)
}

const withoutHeads = (config: ClipConfig): ClipConfig => ({
  ...config,
  text: { ...config.text, heads: 0 },
  vision: { ...config.vision, heads: 0 },
})

/** All that makes an architecture; activation and preprocessing differ between makers. */
function sizesOf({ embedDim, text, vision }: ClipConfig): string {
  const blocks = ({ width, layers, heads, mlpWidth }: TextConfig | VitConfig) => [width, layers, heads, mlpWidth]
  const image =
    vision.kind === 'vit' ? [vision.patchSize, ...blocks(vision)] : [vision.width, ...vision.layers, vision.heads]
  const words = [text.vocabSize, text.contextLength, ...blocks(text)]
  return [embedDim, vision.kind, vision.imageSize, ...image, ...words].join()
}

/** Number of learned values; statistics of batch normalisation are not counted. */
export function parametersOf(config: ClipConfig): number {
  return [...expectedTensors(config)]
    .filter(([name]) => !name.includes('.running_'))
    .reduce((sum, [, shape]) => sum + sizeOf(shape), 0)
}
