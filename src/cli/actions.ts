import type { Hooks } from '../base/progress.ts'
import type { DatasetStatus } from '../datasets/official/status.ts'
import type { Subset } from '../datasets/official/subset.ts'
import type { OfficialDataset } from '../datasets/official/types.ts'
import { bundledModel } from '../node/package.ts'
import type { Classified } from '../runs/ask.ts'
import type { FolderAccuracy } from '../runs/folder.ts'
import type { ImportResult } from '../runs/import.ts'
import type { CheckedModel, ListedModel } from '../runs/models.ts'
import type { ReportResult } from '../runs/report.ts'
import type { SweepResult } from '../runs/sweep/sweep.ts'
import type { TrainResult } from '../runs/train.ts'
import type { RunWords } from '../runs/words.ts'
import type { Settings } from './options.ts'

/** A data set of the paper, as `--json` has it. */
export type ListedDataset = Omit<OfficialDataset, 'read'> & { readonly status?: DatasetStatus }

/** What the commands ask for. */
export interface Actions {
  /** @param learning complete settings of the method */
  train(
    data: string,
    settings: Settings<'train'>,
    learning: Readonly<Record<string, unknown>>,
    hooks: Hooks,
  ): Promise<TrainResult>
  evaluate(run: string, data: string, settings: Settings<'evaluate'>, hooks: Hooks): Promise<FolderAccuracy>
  zeroShot(data: string, settings: Settings<'zero-shot'>, hooks: Hooks): Promise<FolderAccuracy>
  classify(
    run: string,
    images: readonly string[],
    settings: Settings<'classify'>,
    hooks: Hooks,
  ): Promise<readonly Classified[]>
  words(run: string, settings: Settings<'words'>, hooks: Hooks): Promise<RunWords>
  datasets(settings: Settings<'datasets'>): Promise<readonly ListedDataset[]>
  datasetSubset(name: string, settings: Settings<'datasets'>, hooks: Hooks): Promise<Subset>
  /** The path of the split file that was written. */
  datasetSplit(name: string, settings: Settings<'datasets'>): Promise<string>
  models(): Promise<readonly ListedModel[]>
  checkModel(model: string, hooks: Hooks): Promise<CheckedModel>
  import(file: string, settings: Settings<'import'>, hooks: Hooks): Promise<ImportResult>
  sweep(plan: string, settings: Settings<'sweep'>, hooks: Hooks): Promise<SweepResult>
  report(folders: readonly string[], settings: Settings<'report'>, hooks: Hooks): Promise<ReportResult>
}

/** The work behind each command, imported only when the command runs. */
export const actions: Actions = {
  async train(data, settings, learning, hooks) {
    const { template: templates, model = bundledModel(), ...rest } = settings
    const options = { ...defined({ ...rest, templates }), model, settings: learning }
    if (options.method === 'coop') {
      const { trainOnFolder } = await import('../runs/train.ts')
      return trainOnFolder(data, options, hooks)
    }
    const { trainMethod } = await import('../runs/train-method.ts')
    return trainMethod(data, options, hooks)
  },

  async evaluate(run, data, { runModel: model, runTransforms: transforms, ...settings }, hooks) {
    const { evaluateRun } = await import('../runs/ask.ts')
    return evaluateRun(run, data, defined({ ...settings, model, transforms }), hooks)
  },

  async zeroShot(data, { template, model, ...settings }, hooks) {
    const { zeroShotOnFolder } = await import('../runs/folder.ts')
    const options = defined({ ...settings, templates: template })
    return zeroShotOnFolder(data, { ...options, model: model ?? bundledModel() }, hooks)
  },

  async classify(run, images, { runModel: model, runTransforms: transforms, top, ...settings }, hooks) {
    const { classifyImages } = await import('../runs/ask.ts')
    return classifyImages(run, images, top, defined({ ...settings, model, transforms }), hooks)
  },

  async words(run, { runModel: model, nearest: count, allTokens, ...settings }, hooks) {
    const { wordsOfRun } = await import('../runs/words.ts')
    return wordsOfRun(run, defined({ ...settings, count, wordsOnly: !allTokens, model }), hooks)
  },

  async datasets({ root = process.env.COOP_DATA }) {
    const { listDatasets } = await import('../datasets/official/status.ts')
    return listDatasets(root)
  },

  async datasetSubset(name, { root, shots, seed }, hooks) {
    const { defaultRoot } = await import('../datasets/official/open.ts')
    const { officialSubset } = await import('../datasets/official/subset.ts')
    return officialSubset(name, root ?? defaultRoot(), { shots, seed }, hooks)
  },

  async datasetSplit(name, { root, seed }) {
    const { defaultRoot, makeSplitFile } = await import('../datasets/official/open.ts')
    return makeSplitFile(name, root ?? defaultRoot(), seed)
  },

  async models() {
    const { listModels } = await import('../runs/models.ts')
    return listModels()
  },

  async checkModel(model, hooks) {
    const { checkModel } = await import('../runs/models.ts')
    return checkModel(model, hooks)
  },

  async import(file, { importModel: model, importOut: out, importPosition: position, ...settings }, hooks) {
    const { importCheckpoint } = await import('../runs/import.ts')
    return importCheckpoint(file, defined({ ...settings, model, out, position }), hooks)
  },

  async sweep(plan, { sweepOut: out, ...settings }, hooks) {
    const { sweep } = await import('../runs/sweep/sweep.ts')
    return sweep(plan, defined({ ...settings, out }), hooks)
  },

  async report(folders, { reportOut: out, ...settings }, hooks) {
    const { reportSweeps } = await import('../runs/report.ts')
    return reportSweeps(folders, defined({ ...settings, out }), hooks)
  },
}

/** Settings that were left out are no properties at all. */
type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

export function defined<T extends object>(settings: T): Defined<T>
export function defined(settings: object): object {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
