import { countOf } from '../base/count.ts'
import { shotsRank } from '../data/fewshot.ts'
import { defaultEpochs, PAPER_WARMUP } from '../learning/schedule.ts'
import { PAPER_SETTINGS } from '../methods/coop/train-prompt.ts'
import { METHODS } from '../methods/index.ts'
import type { MeasuredRecord } from '../trained/record.ts'
import { canonicalJson } from './canonical.ts'
import { FIGURE_3, FIGURE_3_DATASETS } from './published-fig3.ts'

type FigureThreeDataset = (typeof FIGURE_3_DATASETS)[number]

export const PUBLISHED_SOURCE =
  'Published: Figure 3 of Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022, from the raw numbers that its authors released (CLIP RN50 with OpenAI\'s weights, M = 16, means over seeds).'

// The release does not say which pictures its figures were made with. It is of April 2022, after the change of October
// 2021, and its zero-shot figure on ImageNet, 58.18 with one prompt, is above the 57.81 that CoOp's issue 8 gives for
// seven prompts on the pictures of before: so it is compared with today's.
export const PUBLISHED_PICTURES =
  'The authors do not state how pictures were preprocessed; by the date and the zero-shot figure on ImageNet it was as of October 2021. On ImageNet, others did not reach the published CoOp figures with either version (CoOp issues 45 and 88).'

/** Data sets of the figure: by which names (letters and digits of them) and with how many classes. */
const DATASETS: Readonly<Record<FigureThreeDataset, { names: readonly string[]; classes: number }>> = {
  OxfordPets: { names: ['oxfordpets', 'pets', 'oxfordiiitpet'], classes: 37 },
  Flowers102: { names: ['flowers102', 'oxfordflowers', 'flowers', 'oxfordflowers102'], classes: 102 },
  FGVCAircraft: { names: ['fgvcaircraft', 'aircraft'], classes: 100 },
  DTD: { names: ['dtd', 'describabletextures'], classes: 47 },
  EuroSAT: { names: ['eurosat'], classes: 10 },
  StanfordCars: { names: ['stanfordcars', 'cars'], classes: 196 },
  Food101: { names: ['food101', 'food'], classes: 101 },
  SUN397: { names: ['sun397', 'sun'], classes: 397 },
  Caltech101: { names: ['caltech101', 'caltech'], classes: 100 },
  UCF101: { names: ['ucf101', 'ucf'], classes: 101 },
  ImageNet: { names: ['imagenet', 'imagenet1k'], classes: 1000 },
}

/** Letters and digits of a data set's name, which may be the path of its folder. */
export const plainName = (dataset: string): string =>
  (dataset.split(/[/\\]/).findLast((part) => part !== '') ?? '').toLowerCase().replaceAll(/[^a-z0-9]/g, '')

/** The data set of the paper that a run was made on, by name alone. */
function paperDataset(dataset: string): FigureThreeDataset | undefined {
  return FIGURE_3_DATASETS.find((name) => DATASETS[name].names.includes(plainName(dataset)))
}

/** The row of the figure that a run's method stands for, whatever its other settings. */
export function paperVariant({ method, settings }: Pick<MeasuredRecord, 'method' | 'settings'>): string | undefined {
  if (method === 'zero-shot') return 'zero-shot'
  if (method === 'linear-probe') return 'linear probe'
  if (method !== 'coop') return undefined
  return settings.classSpecific === true ? `${settings.position}, class-specific` : `${settings.position}`
}

/** Accuracy in % that the paper's authors published for this data set, method and number of shots. */
export function publishedAccuracy(
  run: Pick<MeasuredRecord, 'dataset' | 'method' | 'settings' | 'shots'>,
): number | undefined {
  const dataset = paperDataset(run.dataset)
  const variant = paperVariant(run)
  if (dataset === undefined || variant === undefined || run.shots === 'all') return undefined
  return FIGURE_3[variant]?.[run.shots]?.[FIGURE_3_DATASETS.indexOf(dataset)]
}

/** In words, what in a run is not the setting of the published figure; empty: the two may be compared. */
export function differencesFromPaper(run: MeasuredRecord): string[] {
  const expected = DATASETS[paperDataset(run.dataset) ?? 'ImageNet'].classes
  const { architecture, name } = run.model
  const isRn50 = architecture === 'RN50'
  const rules: readonly (readonly [boolean, string])[] = [
    [isRn50, `the model is ${architecture ? `${name} (${architecture})` : name}, not RN50`],
    [!isRn50 || isOpenAi(name), `it is not known whether the weights of ${name} are OpenAI's`],
    [run.transforms === '2021-10', `pictures as of ${run.transforms}`],
    [run.shots !== 'all', 'all training images'],
    [run.split === 'all', 'half of the classes'],
    [run.classes === expected, `${countOf(run.classes, 'class', 'classes')}, not ${expected}`],
  ]
  return [...rules.flatMap(([same, words]) => (same ? [] : [words])), ...methodDifferences(run)]
}

/** By its name: as OpenAI's release calls it, or with OpenAI in a folder's or hub id's name. */
const isOpenAi = (name: string): boolean => /openai/i.test(name) || /(^|[/\\])rn50(\.pt)?[/\\]?$/i.test(name)

function methodDifferences(run: MeasuredRecord): string[] {
  if (run.method === 'zero-shot') return run.settings.templates === undefined ? [] : ['other hand-written prompts']
  const settings = settingDifferences(run)
  if (run.method !== 'coop') return [...settings, ...(run.views === 0 ? [] : ['augmented training pictures'])]
  const usual = defaultEpochs(shotsRank(run.shots))
  const epochs = run.facts.epochs ?? run.settings.epochs ?? usual
  const published = paperDataset(run.dataset) === 'ImageNet' ? 50 : usual
  return [
    ...settings,
    ...(epochs === published ? [] : [`${countOf(Number(epochs), 'epoch')}, not ${published}`]),
    ...(run.views === 0 ? ['training pictures without augmentation'] : []),
  ]
}

/** Settings that tell the variants of the figure apart, or that `epochs` sums up. */
const FREE = ['position', 'classSpecific', 'epochs', 'epochScale']

function settingDifferences({ method, settings }: MeasuredRecord): string[] {
  const { M, init, batchSize, learningRate } = PAPER_SETTINGS
  const defaults = Object(METHODS.find(({ name }) => name === method)?.settings.safeParse({}).data ?? {})
  const paper: Readonly<Record<string, unknown>> =
    method === 'coop' ? { ...defaults, M, init, batchSize, learningRate, ...PAPER_WARMUP } : defaults
  return Object.entries(settings)
    .filter(([key, value]) => !FREE.includes(key) && canonicalJson(value) !== canonicalJson(paper[key] ?? null))
    .map(([key, value]) => `${key} ${canonicalJson(value)}`)
}

const OPTIMUM =
  "each fit of the linear probe goes to its optimum; the published ones ended where scikit-learn's solver stopped, so that the C chosen and the accuracy can differ (solver: lpclip stops as they did)"

/** What differs from the published runs and is close enough to compare, as long as it is said. */
export function approximations({ method, views, settings }: MeasuredRecord): string[] {
  if (method === 'linear-probe') {
    return [
      'the linear probe learns from the same images as CoOp; the published one drew its own',
      ...(settings.solver === 'lpclip' ? [] : [OPTIMUM]),
    ]
  }
  if (method !== 'coop' || typeof views !== 'number' || views === 0) return []
  return [
    `${countOf(views, 'view')} of each training image, drawn once; the published runs drew a new one in each epoch`,
  ]
}
