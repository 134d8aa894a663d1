import type { DatasetStatus } from '../data/datasets/status.ts'
import type { Subset } from '../data/datasets/subset.ts'
import type { OfficialDataset } from '../data/datasets/types.ts'
import type { Classified } from '../experiments/ask.ts'
import type { FolderAccuracy } from '../experiments/folder.ts'
import type { ImportResult } from '../experiments/import.ts'
import type { CheckedModel, ListedModel } from '../experiments/models.ts'
import type { PretrainResult } from '../experiments/pretrain.ts'
import type { ReportResult } from '../experiments/report.ts'
import type { SweepResult } from '../experiments/sweep/sweep.ts'
import type { TrainResult } from '../experiments/train.ts'
import type { RunWords } from '../experiments/words.ts'
import { bundledModel } from '../node/package.ts'
import type { Hooks } from '../progress.ts'
import type { DemoResult } from '../report/types.ts'
import type { Settings } from './options.ts'

/** A data set of the paper, as `--json` has it. */
export type ListedDataset = Omit<OfficialDataset, 'read'> & { readonly status?: DatasetStatus }

/** What the commands ask for. */
export interface Actions {
  demo(settings: Settings<'demo'>, hooks: Hooks): Promise<DemoResult>
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
  pretrain(settings: Settings<'pretrain'>, hooks: Hooks): Promise<PretrainResult>
}

/** The work behind each command, imported only when the command runs. */
export const actions: Actions = {
  async demo({ quick, tasks, shotsList, seeds, model, device, threads }, hooks) {
    const { demo } = await import('../experiments/demo.ts')
    return demo(
      { model: model ?? bundledModel(), quick, ...defined({ tasks, shots: shotsList, seeds, device, threads }) },
      hooks,
    )
  },

  async train(data, settings, learning, hooks) {
    const { template: templates, model = bundledModel(), ...rest } = settings
    const options = { ...defined({ ...rest, templates }), model, settings: learning }
    if (options.method === 'coop') {
      const { trainOnFolder } = await import('../experiments/train.ts')
      return trainOnFolder(data, options, hooks)
    }
    const { trainMethod } = await import('../experiments/train-method.ts')
    return trainMethod(data, options, hooks)
  },

  async evaluate(run, data, { runModel: model, runTransforms: transforms, ...settings }, hooks) {
    const { evaluateRun } = await import('../experiments/ask.ts')
    return evaluateRun(run, data, defined({ ...settings, model, transforms }), hooks)
  },

  async zeroShot(data, { template, model, ...settings }, hooks) {
    const { zeroShotOnFolder } = await import('../experiments/folder.ts')
    const options = defined({ ...settings, templates: template })
    return zeroShotOnFolder(data, { ...options, model: model ?? bundledModel() }, hooks)
  },

  async classify(run, images, { runModel: model, runTransforms: transforms, top, ...settings }, hooks) {
    const { classifyImages } = await import('../experiments/ask.ts')
    return classifyImages(run, images, top, defined({ ...settings, model, transforms }), hooks)
  },

  async words(run, { runModel: model, nearest: count, allTokens, ...settings }, hooks) {
    const { wordsOfRun } = await import('../experiments/words.ts')
    return wordsOfRun(run, defined({ ...settings, count, wordsOnly: !allTokens, model }), hooks)
  },

  async datasets({ root = process.env.COOP_DATA }) {
    const { listDatasets } = await import('../data/datasets/status.ts')
    return listDatasets(root)
  },

  async datasetSubset(name, { root, shots, seed }, hooks) {
    const { defaultRoot } = await import('../data/datasets/open.ts')
    const { officialSubset } = await import('../data/datasets/subset.ts')
    return officialSubset(name, root ?? defaultRoot(), { shots, seed }, hooks)
  },

  async datasetSplit(name, { root, seed }) {
    const { defaultRoot, makeSplitFile } = await import('../data/datasets/open.ts')
    return makeSplitFile(name, root ?? defaultRoot(), seed)
  },

  async models() {
    const { listModels } = await import('../experiments/models.ts')
    return listModels()
  },

  async checkModel(model, hooks) {
    const { checkModel } = await import('../experiments/models.ts')
    return checkModel(model, hooks)
  },

  async import(file, { importModel: model, importOut: out, importPosition: position, ...settings }, hooks) {
    const { importCheckpoint } = await import('../experiments/import.ts')
    return importCheckpoint(file, defined({ ...settings, model, out, position }), hooks)
  },

  async sweep(plan, { sweepOut: out, ...settings }, hooks) {
    const { sweep } = await import('../experiments/sweep/sweep.ts')
    return sweep(plan, defined({ ...settings, out }), hooks)
  },

  async report(folders, { reportOut: out, ...settings }, hooks) {
    const { reportSweeps } = await import('../experiments/report.ts')
    return reportSweeps(folders, defined({ ...settings, out }), hooks)
  },

  async pretrain({ pretrainOut, steps, seed, hours, resume, force, device, threads, cache }, hooks) {
    const { pretrainSmallClip } = await import('../experiments/pretrain.ts')
    return pretrainSmallClip(
      { out: pretrainOut, seed, resume, force, cache, ...defined({ steps, hours, device, threads }) },
      hooks,
    )
  },
}

/** Settings that were left out are no properties at all. */
type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

function defined<T extends object>(settings: T): Defined<T>
function defined(settings: object): object {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
