// coop-ts/node: files, pictures, data sets, runs and sweeps on disk, and ONNX Runtime in a worker thread.

export { checkLearnable, drawFewShot, type Shots } from '../data/fewshot.ts'
export type { Dataset, Item } from '../data/items.ts'
export { holdOutVal } from '../data/split.ts'
export { type FolderOptions, readImageFolder } from '../datasets/folder.ts'
export { type OpenOptions, openDataset } from '../datasets/open.ts'
// Files, the Hugging Face hub, pictures, and ONNX Runtime in a worker thread.
export { fileSource, folderModelFiles, writeFileAtomic } from '../node/files.ts'
export {
  HubError,
  type HubListing,
  type HubModel,
  type HubRepo,
  hubFile,
  hubFiles,
  hubModel,
  parseHubId,
} from '../node/hub/index.ts'
export { decodeImage, encodePng } from '../node/image.ts'
export { bundledModel } from '../node/package.ts'
export { type NodeRuntimeOptions, nodeRuntime } from '../node/runtime.ts'
export type { Picture } from '../pictures/picture.ts'
export { type AddClassOptions, addClass, type ClassAdded } from '../runs/add-class.ts'
export {
  type Evaluated,
  type EvaluatedRun,
  type EvaluateOptions,
  evaluateRun,
  evaluateZeroShot,
  type ZeroShotEvaluated,
  type ZeroShotOptions,
} from '../runs/evaluate.ts'
export {
  EXPORT_FORMATS,
  type ExportFormat,
  type ExportOptions,
  type ExportResult,
  exportRun,
  type RoundingLoss,
} from '../runs/export.ts'
export {
  type DataFeatures,
  type DataFeaturesOptions,
  featuresOfData,
  type WriteFeaturesOptions,
  writeFeatures,
} from '../runs/features.ts'
export { type InspectOptions, inspectRun } from '../runs/inspect.ts'
export { type OpenRunOptions, openRun } from '../runs/open-run.ts'
export { encodeSets, type PictureOptions } from '../runs/pictures.ts'
export { type ReportChoice, type ReportResult, reportSweeps } from '../runs/report.ts'
export { type RunOneOptions, runOne } from '../runs/run-one.ts'
export { promptOfRun } from '../runs/saved-run.ts'
export { jobsOf } from '../runs/sweep/jobs.ts'
export type { SweepOptions } from '../runs/sweep/options.ts'
export { type Plan, readPlan } from '../runs/sweep/plan.ts'
export { type SweepResult, sweep } from '../runs/sweep/sweep.ts'
export { type TrainOptions, type TrainResult, train } from '../runs/train.ts'

// Answering over HTTP with saved runs.
export type { Limits } from '../serve/limits.ts'
export { jsonLog, type Log, type LogLine } from '../serve/logs.ts'
export { type ServeOptions, type Serving, serveRuns } from '../serve/serve.ts'
export type { RunToServe } from '../serve/served-runs.ts'
export type { DecideOptions, Decision, Label, OpenRun } from '../trained/classify.ts'
export type {
  AlikeRow,
  ClassRow,
  ConfusionCell,
  Inspection,
  InspectionTables,
  Judged,
  PictureRow,
} from '../trained/inspect/types.ts'
// Data sets: opening, few-shot subsets, validation.
export type { Job } from '../trained/job.ts'
export { type EncodedItems, imageRows, type PictureSet } from '../trained/pictures.ts'
// Runs and sweeps: training, measuring, asking a saved run, reports.
export type { MeasuredRecord, RunRecord } from '../trained/record.ts'
