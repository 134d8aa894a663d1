// coop-ts/web: pictures, models, runs and ONNX Runtime in a page. It needs the package onnxruntime-web beside it.
// Data sets of chosen files.
export type { Shots } from '../data/fewshot.ts'
// Runs: training, measuring, asking a saved run, and runs kept in the browser.
export type { DecideOptions, Decision, Label, OpenRun } from '../trained/classify.ts'
export type { SavedRun } from '../trained/learned.ts'
export type { RunRecord } from '../trained/record.ts'
export { type FilesOptions, filesDataset, type WebClass, type WebDataset, type WebItem } from '../web/data.ts'
export {
  evaluateRun,
  evaluateZeroShot,
  type WebEvaluated,
  type WebEvaluateOptions,
  type WebZeroShotOptions,
} from '../web/evaluate.ts'
// Pictures, models and ONNX Runtime in a worker.
export { type FeaturesOptions, imageFeatures } from '../web/features.ts'
export { decodeImage, encodePng } from '../web/image.ts'
export {
  type FetchOptions,
  fileModel,
  hubModel,
  removeStoredModel,
  type StoredModel,
  storedModels,
  type UrlOptions,
  urlModel,
  type WebHubModel,
} from '../web/models.ts'
export { type OpenWebRunOptions, openRun, readRun, type WebRun } from '../web/open-run.ts'
export type { WebPicture } from '../web/picture.ts'
export { type BrowserRun, type BrowserRuns, browserRuns, type RunStore } from '../web/runs.ts'
export { webRuntime } from '../web/runtime.ts'
export {
  type Measured,
  train,
  type WebOptions,
  type WebTrainHooks,
  type WebTrainOptions,
  type WebTrainResult,
} from '../web/train.ts'
