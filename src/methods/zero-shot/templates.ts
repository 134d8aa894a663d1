import type { Descriptions } from './descriptions.ts'

/** Hand-written prompts: a list for all classes, `{}` for the class name, or a list for each class by its name. */
export type Templates = readonly string[] | Descriptions

/** Whether each class has prompts of its own. */
export const isByClass = (templates: Templates): templates is Descriptions => !Array.isArray(templates)

/** The hand-written prompts of the paper, by data set; `{}` stands for the class name. */
export const PAPER_TEMPLATES = {
  ImageNet: 'a photo of a {}.',
  Caltech101: 'a photo of a {}.',
  OxfordPets: 'a photo of a {}, a type of pet.',
  StanfordCars: 'a photo of a {}.',
  Flowers102: 'a photo of a {}, a type of flower.',
  Food101: 'a photo of {}, a type of food.',
  FGVCAircraft: 'a photo of a {}, a type of aircraft.',
  SUN397: 'a photo of a {}.',
  DTD: '{} texture.',
  EuroSAT: 'a centered satellite photo of {}.',
  UCF101: 'a photo of a person doing {}.',
} as const

/** CLIP's prompt for any object, for data sets without their own prompt. */
export const DEFAULT_TEMPLATES: readonly string[] = ['a photo of a {}.']

/** CLIP's seven templates for ImageNet, used as an ensemble. */
export const IMAGENET_TEMPLATES = [
  'itap of a {}.',
  'a bad photo of the {}.',
  'a origami {}.',
  'a photo of the large {}.',
  'a {} in a video game.',
  'art of the {}.',
  'a photo of the small {}.',
] as const

/** CLIP's eighty templates for ImageNet, of the notebook on prompt engineering that came with its release. */
export const IMAGENET_80_TEMPLATES = [
  'a bad photo of a {}.',
  'a photo of many {}.',
  'a sculpture of a {}.',
  'a photo of the hard to see {}.',
  'a low resolution photo of the {}.',
  'a rendering of a {}.',
  'graffiti of a {}.',
  'a bad photo of the {}.',
  'a cropped photo of the {}.',
  'a tattoo of a {}.',
  'the embroidered {}.',
  'a photo of a hard to see {}.',
  'a bright photo of a {}.',
  'a photo of a clean {}.',
  'a photo of a dirty {}.',
  'a dark photo of the {}.',
  'a drawing of a {}.',
  'a photo of my {}.',
  'the plastic {}.',
  'a photo of the cool {}.',
  'a close-up photo of a {}.',
  'a black and white photo of the {}.',
  'a painting of the {}.',
  'a painting of a {}.',
  'a pixelated photo of the {}.',
  'a sculpture of the {}.',
  'a bright photo of the {}.',
  'a cropped photo of a {}.',
  'a plastic {}.',
  'a photo of the dirty {}.',
  'a jpeg corrupted photo of a {}.',
  'a blurry photo of the {}.',
  'a photo of the {}.',
  'a good photo of the {}.',
  'a rendering of the {}.',
  'a {} in a video game.',
  'a photo of one {}.',
  'a doodle of a {}.',
  'a close-up photo of the {}.',
  'a photo of a {}.',
  'the origami {}.',
  'the {} in a video game.',
  'a sketch of a {}.',
  'a doodle of the {}.',
  'a origami {}.',
  'a low resolution photo of a {}.',
  'the toy {}.',
  'a rendition of the {}.',
  'a photo of the clean {}.',
  'a photo of a large {}.',
  'a rendition of a {}.',
  'a photo of a nice {}.',
  'a photo of a weird {}.',
  'a blurry photo of a {}.',
  'a cartoon {}.',
  'art of a {}.',
  'a sketch of the {}.',
  'a embroidered {}.',
  'a pixelated photo of a {}.',
  'itap of the {}.',
  'a jpeg corrupted photo of the {}.',
  'a good photo of a {}.',
  'a plushie {}.',
  'a photo of the nice {}.',
  'a photo of the small {}.',
  'a photo of the weird {}.',
  'the cartoon {}.',
  'art of the {}.',
  'a drawing of the {}.',
  'a photo of the large {}.',
  'a black and white photo of a {}.',
  'the plushie {}.',
  'a dark photo of a {}.',
  'itap of a {}.',
  'graffiti of the {}.',
  'a toy {}.',
  'itap of my {}.',
  'a photo of a cool {}.',
  'a photo of a small {}.',
  'a tattoo of the {}.',
] as const

/** Ensembles that may be named wherever templates are given. */
export const ENSEMBLES: Readonly<Record<string, readonly string[]>> = {
  imagenet7: IMAGENET_TEMPLATES,
  imagenet80: IMAGENET_80_TEMPLATES,
}

/** Whether a text can stand where a template does: it has a `{}` for the class name, or is the name of an ensemble. */
export function isTemplate(text: string): boolean {
  return text.includes('{}') || Object.hasOwn(ENSEMBLES, text)
}

/** The message for a text that is not a template. */
export const TEMPLATE_EXPECTED = `a prompt with {} where the class name goes, or ${Object.keys(ENSEMBLES).join(' or ')}`

/** Templates with the names of ensembles replaced by what they stand for. */
export function expandTemplates(templates: readonly string[]): readonly string[] {
  return templates.flatMap((text) => (Object.hasOwn(ENSEMBLES, text) ? (ENSEMBLES[text] ?? []) : text))
}
