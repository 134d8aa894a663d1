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
