import { FileError } from '../../base/errors.ts'

// What a configuration says of towers that are not CLIP's own, found before anything else of it is read: one clear answer
// instead of a list of keys.

const SUPPORTED =
  "only CLIP's own towers are supported: ViT or ModifiedResNet for images, the causal transformer for texts (OpenAI's models, and those of LAION and others trained like them)"

/** Families of models of transformers, by `model_type`. */
const FAMILIES: Readonly<Record<string, string>> = {
  align: 'an ALIGN model',
  altclip: 'an AltCLIP model, with a text tower of XLM-RoBERTa',
  blip: 'a BLIP model',
  'blip-2': 'a BLIP-2 model',
  chinese_clip: 'a Chinese CLIP, with a text tower of BERT',
  clap: 'a CLAP model, for sound',
  clip_text_model: 'only the text tower of a CLIP',
  clip_vision_model: 'only the image tower of a CLIP',
  clipseg: 'a CLIPSeg model',
  groupvit: 'a GroupViT model',
  metaclip_2: 'a MetaCLIP 2, with a multilingual text tower',
  siglip: 'a SigLIP model, whose text tower is not causal and whose image tower pools by attention',
  siglip2: 'a SigLIP 2 model, whose text tower is not causal and whose image tower pools by attention',
  'vision-text-dual-encoder': 'a pair of other image and text towers',
}

/** Throws FileError, saying what the model is, unless a configuration of transformers is of a CLIP. */
export function checkModelType(file: string, config: unknown): void {
  const type = fieldOf(config, 'model_type')
  if (type === undefined || type === null || type === 'clip') return
  const family = typeof type === 'string' && Object.hasOwn(FAMILIES, type) ? FAMILIES[type] : 'of another kind'
  throw notSupported(file, `this is ${family} (model_type ${JSON.stringify(type)})`)
}

/** Image towers of timm, by what their names begin with or hold. */
const TIMM: readonly (readonly [RegExp, string])[] = [
  [/siglip/, 'SigLIP'],
  [/eva/, 'EVA'],
  [/convnext/, 'ConvNeXt'],
  [/fastvit|mobileclip|mci/, 'MobileCLIP'],
  [/vitamin/, 'ViTamin'],
  [/pe_core/, 'Perception Encoder'],
  [/swin/, 'Swin'],
]

interface TowerRule {
  readonly part?: 'text_cfg' | 'vision_cfg'
  readonly key: string
  /** What the model has when the key holds this; undefined: nothing strange. */
  says(value: unknown): string | undefined
}

const given = (value: unknown) => value !== undefined && value !== null && value !== false
const when = (text: string) => (value: unknown) => (given(value) ? text : undefined)

const TOWERS: readonly TowerRule[] = [
  { key: 'multimodal_cfg', says: when('a caption decoder (CoCa)') },
  {
    part: 'vision_cfg',
    key: 'timm_model_name',
    says: (name) => {
      if (!given(name)) return undefined
      const family = TIMM.find(([pattern]) => pattern.test(String(name)))?.[1]
      return `a timm image tower (${JSON.stringify(name)}${family === undefined ? '' : `, ${family}`})`
    },
  },
  { part: 'vision_cfg', key: 'attentional_pool', says: when('an image tower that pools by attention') },
  {
    part: 'text_cfg',
    key: 'hf_model_name',
    says: (name) => (given(name) ? `a Hugging Face text tower (${JSON.stringify(name)})` : undefined),
  },
  { part: 'text_cfg', key: 'no_causal_mask', says: when('a text tower that is not causal') },
  { key: 'init_logit_bias', says: when('a logit bias (SigLIP)') },
  { key: 'custom_text', says: when('a separate text tower (custom_text)') },
]

/** Throws FileError, naming them, when a configuration of OpenCLIP has towers that are not CLIP's own. */
export function checkTowers(file: string, config: unknown): void {
  const model = fieldOf(config, 'model_cfg')
  const found = TOWERS.flatMap(({ part, key, says }) => {
    const value = fieldOf(part === undefined ? model : fieldOf(model, part), key)
    return says(value) ?? []
  })
  if (found.length > 0) throw notSupported(file, `this model has ${found.join(', ')}`)
}

function notSupported(file: string, why: string): FileError {
  return new FileError(
    `${file}: not supported: ${why}; ${SUPPORTED}`,
    'use a supported model: coop-ts models lists some',
  )
}

/** An own field of what may be an object. */
export function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return new Map(Object.entries(value)).get(key)
}
