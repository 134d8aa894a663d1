import { sizeOf } from '../graph/tensor.ts'
import { CLIP_MEAN, CLIP_STD } from './config/schema.ts'
import type { Activation, ClipConfig, ResNetConfig, TextConfig, VitConfig } from './types.ts'
import { expectedTensors } from './weights/expected.ts'

/** A CLIP that people know by name. */
export interface KnownModel {
  /** As the paper and OpenAI's code call its towers: `RN50`, `ViT-B/16`. */
  readonly architecture: string
  readonly maker: 'OpenAI' | 'LAION'
  /** Its id on the hub, which `--model` takes. */
  readonly id: string
  /** OpenAI's own file of it, and the SHA-256 of that. */
  readonly release?: { readonly file: string; readonly sha256: string }
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
const H14: VitSizes = { embedDim: 1024, patchSize: 14, vision: [1280, 32, 16], text: [1024, 24, 16] }

const openAi = (architecture: string, id: string, file: string, sha256: string, config: ClipConfig): KnownModel => ({
  architecture,
  maker: 'OpenAI',
  id,
  release: { file, sha256 },
  config,
})

const laion = (architecture: string, id: string, config: ClipConfig): KnownModel => ({
  architecture,
  maker: 'LAION',
  id,
  config,
})

/** Pixels from -1 to 1. */
const plainPixels = (config: ClipConfig): ClipConfig => ({
  ...config,
  preprocess: { ...config.preprocess, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
})

/** All known models, those of the paper first. */
export const KNOWN_MODELS: readonly KnownModel[] = [
  openAi(
    'RN50',
    'timm/resnet50_clip.openai',
    'RN50.pt',
    'afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762',
    resNet(1024, [3, 4, 6, 3], 64, 224, BASE_TEXT),
  ),
  openAi(
    'RN101',
    'timm/resnet101_clip.openai',
    'RN101.pt',
    '8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599',
    resNet(512, [3, 4, 23, 3], 64, 224, BASE_TEXT),
  ),
  openAi(
    'RN50x4',
    'timm/resnet50x4_clip.openai',
    'RN50x4.pt',
    '7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd',
    resNet(640, [4, 6, 10, 6], 80, 288, [640, 12, 10]),
  ),
  openAi(
    'RN50x16',
    'timm/resnet50x16_clip.openai',
    'RN50x16.pt',
    '52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa',
    resNet(768, [6, 8, 18, 8], 96, 384, [768, 12, 12]),
  ),
  openAi(
    'RN50x64',
    'timm/resnet50x64_clip.openai',
    'RN50x64.pt',
    'be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c',
    resNet(1024, [3, 15, 36, 10], 128, 448, [1024, 12, 16]),
  ),
  openAi(
    'ViT-B/32',
    'openai/clip-vit-base-patch32',
    'ViT-B-32.pt',
    '40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af',
    vit('quick_gelu', B32),
  ),
  openAi(
    'ViT-B/16',
    'openai/clip-vit-base-patch16',
    'ViT-B-16.pt',
    '5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f',
    vit('quick_gelu', B16),
  ),
  openAi(
    'ViT-L/14',
    'openai/clip-vit-large-patch14',
    'ViT-L-14.pt',
    'b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836',
    vit('quick_gelu', L14),
  ),
  openAi(
    'ViT-L/14@336px',
    'openai/clip-vit-large-patch14-336',
    'ViT-L-14-336px.pt',
    '3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02',
    vit('quick_gelu', { ...L14, imageSize: 336 }),
  ),
  laion('ViT-B/32', 'laion/CLIP-ViT-B-32-laion2B-s34B-b79K', vit('gelu', B32)),
  laion('ViT-B/16', 'laion/CLIP-ViT-B-16-laion2B-s34B-b88K', vit('gelu', B16)),
  laion('ViT-L/14', 'laion/CLIP-ViT-L-14-laion2B-s32B-b82K', plainPixels(vit('gelu', L14))),
  laion('ViT-H/14', 'laion/CLIP-ViT-H-14-laion2B-s32B-b79K', vit('gelu', H14)),
]

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
